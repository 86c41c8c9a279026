-- The evidence of some accounts by hour, within a time.
SELECT account_id, toUnixTimestamp64Milli(account_windows.window_start) AS hour, evidence
FROM account_windows
WHERE run_id = {run_id:String} AND window_s = 3600 AND account_id IN {accounts:Array(String)}
    AND window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
ORDER BY account_id, hour
