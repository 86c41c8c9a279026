-- What the run saw of the account, by day; the tokens of closed ten-minute windows, which add up to the day's.
WITH tokens AS
(
    SELECT toDate(window_start, 'UTC') AS day, sum(account_windows.calls) AS calls, sum(account_windows.errors) AS errors,
        sum(account_windows.input_tokens) AS input_tokens, sum(account_windows.output_tokens) AS output_tokens
    FROM account_windows FINAL
    WHERE run_id = {run_id:String} AND window_s = 600 AND account_id = {account:String}
    GROUP BY day
),
scores AS
(
    SELECT day, max(account_daily_scores.peak_score) AS peak_score, sum(scored) AS scored
    FROM account_daily_scores
    WHERE run_id = {run_id:String} AND account_id = {account:String}
    GROUP BY day
)
SELECT
    scores.day AS day, greatest(scores.scored, tokens.calls) AS calls, tokens.errors AS errors,
    tokens.input_tokens AS input_tokens, tokens.output_tokens AS output_tokens, scores.peak_score AS peak_score
FROM scores
LEFT JOIN tokens ON tokens.day = scores.day
ORDER BY day
