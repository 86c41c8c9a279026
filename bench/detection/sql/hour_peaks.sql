-- The highest score of an hour of each account.
SELECT account_id, max(score) AS peak
FROM account_windows
WHERE run_id = {run_id:String} AND window_s = 3600
GROUP BY account_id
