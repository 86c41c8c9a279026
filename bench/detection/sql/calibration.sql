-- How many scores of accounts that do not extract lie above 0.99 and 0.999: of calls (window_s 0), and of windows by length.
SELECT 0 AS window_s, count() AS scores, countIf(score > 0.99) AS above_99, countIf(score > 0.999) AS above_999
FROM call_scores FINAL
WHERE run_id = {run_id:String} AND account_id NOT IN {extracting:Array(String)}
UNION ALL
SELECT window_s, count() AS scores, countIf(score > 0.99) AS above_99, countIf(score > 0.999) AS above_999
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND account_id NOT IN {extracting:Array(String)}
GROUP BY window_s
ORDER BY window_s
