-- Accounts that share a campaign with this one.
SELECT campaign_id, account_id, joined_at, evidence
FROM campaign_members FINAL
WHERE run_id = {run_id:String} AND campaign_id IN
(
    SELECT campaign_id FROM campaign_members FINAL WHERE run_id = {run_id:String} AND account_id = {account:String}
)
ORDER BY campaign_id, joined_at, account_id
LIMIT {limit:UInt32}
