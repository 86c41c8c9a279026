-- Rows of campaign_members that the stream and its replay do not have alike, the earliest first; a key that changed outside of the time
-- is left out on both sides.
SELECT key, countIf(side = 'live') AS live, countIf(side = 'replayed') AS replayed
FROM
(
    SELECT 'live' AS side, toString((campaign_id, account_id)) AS key, joined_at AS at, joined_at AS since, joined_at AS until,
        cityHash64(toString(tuple(* EXCEPT run_id))) AS content
    FROM campaign_members FINAL
    WHERE run_id = {run_id:String}
    UNION ALL
    SELECT 'replayed' AS side, toString((campaign_id, account_id)) AS key, joined_at AS at, joined_at AS since, joined_at AS until,
        cityHash64(toString(tuple(* EXCEPT run_id))) AS content
    FROM verify_campaign_members FINAL
    WHERE run_id = {run_id:String}
)
GROUP BY key
HAVING min(since) >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND max(until) <= fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND (live != replayed OR min(content) != max(content))
ORDER BY min(at), key
LIMIT 1
SETTINGS max_bytes_before_external_group_by = 1000000000
