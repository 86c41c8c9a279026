-- How many accounts have an hour whose evidence differs between two runs.
SELECT uniqExact(account_id) AS accounts
FROM
(
    SELECT account_id
    FROM account_windows
    WHERE run_id IN ({a:String}, {b:String}) AND window_s = 3600
    GROUP BY account_id, window_start
    HAVING maxIf(evidence, run_id = {a:String}) != maxIf(evidence, run_id = {b:String})
)
