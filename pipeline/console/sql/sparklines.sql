-- Output tokens of some accounts over the run's latest days, in steps of whole hours.
WITH (SELECT max(day) FROM account_daily_scores WHERE run_id = {run_id:String}) AS newest
SELECT account_id, toUnixTimestamp64Milli(toDateTime64(newest + 1, 3, 'UTC')) AS end,
    groupArray(intDiv(dateDiff('hour', toDateTime64(newest + 1 - {days:UInt32}, 3, 'UTC'), hour), {step_h:UInt32})) AS steps,
    groupArray(tokens) AS tokens
FROM
(
    SELECT account_id, window_start AS hour, sum(output_tokens) AS tokens
    FROM account_windows FINAL
    WHERE run_id = {run_id:String} AND window_s = 3600 AND account_id IN {accounts:Array(String)}
        AND toDate(window_start, 'UTC') > newest - {days:UInt32}
    GROUP BY account_id, hour
)
GROUP BY account_id
