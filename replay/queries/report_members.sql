-- The first members of each of some campaigns, with what links each to the others.
SELECT
    campaign_id, account_id,
    toUnixTimestamp64Milli(campaign_members.joined_at) AS joined_at,
    arrayMap(one -> (one.1, one.2, toFloat64(one.3)), evidence) AS evidence
FROM campaign_members FINAL
WHERE run_id = {run_id:String} AND campaign_id IN {campaigns:Array(String)}
ORDER BY campaign_id, joined_at, account_id
LIMIT {limit:UInt32} BY campaign_id
