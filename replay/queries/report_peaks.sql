-- Each account's highest score of a window of ten minutes or more.
SELECT account_id, max(account_windows.score) AS peak
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s >= 600
GROUP BY account_id
ORDER BY peak DESC, account_id
LIMIT 1000000
