-- What baselines see of a run: its closed windows of one length, by their end.
SELECT
    account_id,
    toUnixTimestamp64Milli(account_windows.window_start) + 1000 * window_s AS end_ms,
    calls, input_tokens, output_tokens, reasoning_tokens, logprobs_calls, distinct_families
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s = {window_s:UInt32}
ORDER BY end_ms, account_id
