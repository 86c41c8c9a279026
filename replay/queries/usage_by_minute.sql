-- Output tokens of some accounts by minute, as the run's closed windows have them.
SELECT
    account_id,
    toUnixTimestamp64Milli(account_windows.window_start) AS minute,
    calls,
    output_tokens
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s = 60 AND account_id IN {accounts:Array(String)}
ORDER BY account_id, minute
