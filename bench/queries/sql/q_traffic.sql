-- The traffic of a day by minute.
SELECT minute, sum(calls) AS calls, sum(errors) AS errors, sum(output_tokens) AS output_tokens, uniqMerge(accounts) AS accounts
FROM calls_per_minute
WHERE minute >= {day:Date} AND minute < {day:Date} + 1
GROUP BY minute
ORDER BY minute
