-- Scores above the levels, of all accounts or of some, for calls and for windows by length. No FINAL: shares hardly mind a row
-- that is there twice, and every score is read.
SELECT 0 AS window_s, count() AS scores, countIf(score > 0.9) AS above_9, countIf(score > 0.99) AS above_99, countIf(score > 0.999) AS above_999
FROM call_scores
WHERE run_id = {run_id:String} AND (empty({accounts:Array(String)}) OR account_id IN {accounts:Array(String)})
    AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
UNION ALL
SELECT window_s, count() AS scores, countIf(score > 0.9) AS above_9, countIf(score > 0.99) AS above_99, countIf(score > 0.999) AS above_999
FROM account_windows
WHERE run_id = {run_id:String} AND (empty({accounts:Array(String)}) OR account_id IN {accounts:Array(String)})
    AND window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
GROUP BY window_s
