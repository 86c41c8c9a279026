-- First and last day on which the run saw an account, and what it saw in all.
SELECT toUnixTimestamp64Milli(toDateTime64(min(day), 3, 'UTC')) AS from_ms,
    toUnixTimestamp64Milli(toDateTime64(max(day) + 1, 3, 'UTC')) AS to_ms,
    sum(scored) AS calls, greatest(max(account_daily_scores.peak_score), max(account_daily_scores.window_score)) AS peak,
    sum(account_daily_scores.above_99) AS above_99, count() AS found
FROM account_daily_scores
WHERE run_id = {run_id:String} AND account_id = {account:String}
