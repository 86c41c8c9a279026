-- Some accounts window by window.
SELECT
    account_id,
    toUnixTimestamp64Milli(account_windows.window_start) AS start,
    calls,
    output_tokens,
    score
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s = {window_s:UInt32} AND account_id IN {accounts:Array(String)}
ORDER BY account_id, start
