SELECT window_s, window_start, calls, output_tokens, distinct_prompts, score, reasons
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND account_id = {account:String} AND window_s IN (60, 600, 3600, 86400)
    AND notEmpty(reasons)
ORDER BY score DESC, window_s DESC, window_start
LIMIT {limit:UInt32}
