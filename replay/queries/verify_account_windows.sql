-- Rows of account_windows that the stream and its replay do not have alike, the earliest first; a key that changed outside of the time
-- is left out on both sides.
SELECT key, countIf(side = 'live') AS live, countIf(side = 'replayed') AS replayed
FROM
(
    SELECT 'live' AS side, toString((account_id, window_s, window_start)) AS key, window_start AS at, window_start AS since, window_start + toIntervalSecond(window_s) AS until,
        cityHash64(toString(tuple(* EXCEPT run_id))) AS content
    FROM account_windows FINAL
    WHERE run_id = {run_id:String}
    UNION ALL
    SELECT 'replayed' AS side, toString((account_id, window_s, window_start)) AS key, window_start AS at, window_start AS since, window_start + toIntervalSecond(window_s) AS until,
        cityHash64(toString(tuple(* EXCEPT run_id))) AS content
    FROM verify_account_windows FINAL
    WHERE run_id = {run_id:String}
)
GROUP BY key
HAVING min(since) >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND max(until) <= fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND (live != replayed OR min(content) != max(content))
ORDER BY min(at), key
LIMIT 1
SETTINGS max_bytes_before_external_group_by = 1000000000
