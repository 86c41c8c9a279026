-- Calls and errors a minute over the latest hours of event time.
WITH (SELECT max(minute) FROM calls_per_minute) AS newest
SELECT toUnixTimestamp(minute) * 1000 AS t, sum(calls) AS calls, sum(errors) AS errors, sum(output_tokens) AS output_tokens
FROM calls_per_minute
WHERE minute > newest - toIntervalHour({hours:UInt32})
GROUP BY minute
ORDER BY minute
LIMIT {limit:UInt32}
