-- The evidence of extraction that some accounts have shown, hour by hour; hours with none left out.
SELECT account_id, toUnixTimestamp64Milli(account_windows.window_start) AS start, toFloat64(account_windows.evidence) AS evidence
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s = 3600 AND account_id IN {accounts:Array(String)} AND account_windows.evidence > 0
ORDER BY account_id, start
