-- The campaigns of an account, itself first, with the accounts that share them.
SELECT campaign_id, account_id, joined_at, evidence
FROM campaign_members FINAL
WHERE run_id = {run_id:String} AND campaign_id IN
(
    SELECT campaign_id FROM campaign_members FINAL WHERE run_id = {run_id:String} AND account_id = {account:String}
)
ORDER BY account_id != {account:String}, campaign_id, joined_at, account_id
LIMIT {limit:UInt32}
