WITH joined AS
(
    SELECT campaign_id, arraySlice(arraySort(groupArray((joined_at, account_id))), 1, 8).2 AS first_members
    FROM campaign_members FINAL
    WHERE run_id = {run_id:String}
    GROUP BY campaign_id
)
SELECT campaign_id, opened_at, detected_at, last_seen_at, members, output_tokens, score, status, evidence, first_members
FROM (SELECT * FROM campaigns FINAL WHERE run_id = {run_id:String}) AS newest
LEFT JOIN joined USING campaign_id
ORDER BY detected_at DESC, campaign_id
LIMIT {limit:UInt32}
