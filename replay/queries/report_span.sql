-- From when to when a run's closed minutes reach, and what is in them.
SELECT
    toUnixTimestamp64Milli(min(account_windows.window_start)) AS from_ms,
    toUnixTimestamp64Milli(max(account_windows.window_start)) + 60000 AS to_ms,
    uniqExact(account_id) AS accounts,
    sum(account_windows.calls) AS calls,
    sum(account_windows.output_tokens) AS output_tokens
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s = 60
