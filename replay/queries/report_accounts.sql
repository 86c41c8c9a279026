-- What some accounts drew in all, and their highest score of a window of ten minutes or more.
SELECT
    account_id,
    sumIf(account_windows.calls, window_s = 60) AS calls,
    sumIf(account_windows.output_tokens, window_s = 60) AS output_tokens,
    maxIf(account_windows.score, window_s >= 600) AS peak_score
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND account_id IN {accounts:Array(String)}
GROUP BY account_id
