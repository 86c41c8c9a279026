-- Output tokens of some accounts by minute within a time, as the run's closed windows have them.
SELECT
    account_id,
    toUnixTimestamp64Milli(account_windows.window_start) AS minute,
    calls,
    output_tokens
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s = 60 AND account_id IN {accounts:Array(String)}
    AND window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
ORDER BY account_id, minute
