-- Days on which each account called, within a time.
SELECT account_id, uniqExact(toDate(window_start, 'UTC')) AS days
FROM account_windows
WHERE run_id = {run_id:String} AND window_s = 60
    AND window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
GROUP BY account_id
ORDER BY account_id
