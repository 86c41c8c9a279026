-- Why is an account conspicuous?
SELECT reason.feature AS feature, count() AS windows, round(avg(reason.observed), 2) AS observed,
    round(avg(reason.expected), 2) AS expected, round(sum(reason.share), 2) AS weight
FROM account_windows
ARRAY JOIN reasons AS reason
WHERE run_id = 'live' AND account_id = {account:String} AND window_s IN (60, 600, 3600, 86400)
GROUP BY feature
ORDER BY weight DESC
