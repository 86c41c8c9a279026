-- Days of a run with closed hours, and how many of these say by what event they closed.
SELECT toDate(window_start, 'UTC') AS day, countIf(closed_by > toDateTime64(0, 3, 'UTC')) AS decided
FROM account_windows
WHERE run_id = {run_id:String} AND window_s = 3600
GROUP BY day
ORDER BY day
