-- How many scores of calls and of windows exceed each of some thresholds, of all accounts or of those named.
SELECT of, scored, above
FROM
(
    SELECT 'calls' AS of, count() AS scored, sumForEach(arrayMap(threshold -> score > threshold, {thresholds:Array(Float64)})) AS above
    FROM call_scores FINAL
    WHERE run_id = {run_id:String} AND ({everyone:UInt8} = 1 OR account_id IN {accounts:Array(String)})
    UNION ALL
    SELECT 'windows' AS of, count() AS scored, sumForEach(arrayMap(threshold -> score > threshold, {thresholds:Array(Float64)})) AS above
    FROM account_windows FINAL
    WHERE run_id = {run_id:String} AND ({everyone:UInt8} = 1 OR account_id IN {accounts:Array(String)})
)
-- Outside of the union: within it an order would be of its last part only.
ORDER BY of
