-- Accounts by risk in the latest days of the run: those with incidents first, open ones before closed, by severity and by
-- what was drawn in them, then by score. "Latest" counts from the
-- newest day that the run has seen, so a replay of the past answers as it would have then.
WITH
    (SELECT max(day) FROM account_daily_scores WHERE run_id = {run_id:String}) AS newest,
    newest - toIntervalDay({days:UInt32} - 1) AS oldest,
    scores AS
    (
        SELECT account_id, max(account_daily_scores.peak_score) AS peak_score, argMaxMerge(account_daily_scores.peak_at) AS peak_at,
            max(account_daily_scores.window_score) AS window_score, sum(scored) AS calls,
            sum(account_daily_scores.above_99) AS above_99
        FROM account_daily_scores
        WHERE run_id = {run_id:String} AND day >= oldest
        GROUP BY account_id
    ),
    windows AS
    (
        -- The tokens of a day are in its window once that has closed; until then, in those of ten minutes.
        SELECT account_id, sum(greatest(whole, so_far)) AS output_tokens
        FROM
        (
            SELECT account_id, toDate(window_start, 'UTC') AS day,
                sumIf(account_windows.output_tokens, window_s = 86400) AS whole,
                sumIf(account_windows.output_tokens, window_s = 600) AS so_far
            FROM account_windows FINAL
            WHERE run_id = {run_id:String}
                AND (window_s = 86400 AND window_start >= oldest OR window_s = 600 AND window_start >= greatest(oldest, newest - 1))
            GROUP BY account_id, day
        )
        GROUP BY account_id
    ),
    raised AS
    (
        SELECT entity_id, count() AS incidents, countIf(status = 'open') AS open_incidents,
            max(transform(severity, ['low', 'medium', 'high', 'critical'], [1, 2, 3, 4], 0)) AS worst,
            sum(incidents.output_tokens) AS drawn, min(incidents.opened_at) AS opened_at
        FROM incidents FINAL
        WHERE run_id = {run_id:String} AND entity_type = 'account' AND last_seen_at >= oldest
        GROUP BY entity_id
    )
SELECT
    scores.account_id AS account_id,
    greatest(scores.peak_score, scores.window_score) AS peak_score,
    scores.peak_at AS peak_at,
    scores.calls AS calls,
    scores.above_99 AS above_99,
    windows.output_tokens AS output_tokens,
    raised.open_incidents AS open_incidents,
    raised.incidents AS incidents,
    if(raised.incidents > 0, raised.opened_at, NULL) AS since
FROM scores
LEFT JOIN windows ON windows.account_id = scores.account_id
LEFT JOIN raised ON raised.entity_id = scores.account_id
ORDER BY open_incidents > 0 DESC, raised.worst DESC, raised.drawn DESC, peak_score DESC, output_tokens DESC, account_id
LIMIT {limit:UInt32}
