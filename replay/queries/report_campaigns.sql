-- The campaigns that drew most, and when they were found.
SELECT
    campaign_id, members, output_tokens, score, status,
    toUnixTimestamp64Milli(campaigns.opened_at) AS opened_at,
    toUnixTimestamp64Milli(campaigns.detected_at) AS detected_at,
    toUnixTimestamp64Milli(campaigns.last_seen_at) AS last_seen_at
FROM campaigns FINAL
WHERE run_id = {run_id:String}
ORDER BY output_tokens DESC, campaign_id
LIMIT {limit:UInt32}
