-- Days on which each account called, over all accounts; and the accounts.
SELECT uniqExact(account_id, toDate(window_start, 'UTC')) AS account_days, uniqExact(account_id) AS accounts
FROM account_windows
WHERE run_id = {run_id:String} AND window_s = 60
