-- The highest call score in each short step of time: every call where there are few, and no peak lost where there are many.
SELECT argMax(at, calls.score) AS t, max(calls.score) AS score
FROM
(
    SELECT toUnixTimestamp64Milli(ts) AS at, call_scores.score AS score
    FROM call_scores FINAL
    WHERE run_id = {run_id:String} AND account_id = {account:String}
        AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
) AS calls
GROUP BY intDiv(at, {step_ms:Int64})
ORDER BY t
LIMIT {limit:UInt32}
