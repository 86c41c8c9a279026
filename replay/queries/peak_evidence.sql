-- The most evidence that each account has shown in an hour, within a time.
SELECT account_id, max(evidence) AS peak
FROM account_windows
WHERE run_id = {run_id:String} AND window_s = 3600
    AND window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
GROUP BY account_id
ORDER BY account_id
