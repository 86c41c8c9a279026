-- Runs that have scores or a row of their own, the latest first; the stream's is always there.
SELECT run_id, max(at) AS latest
FROM
(
    SELECT toString(run_id) AS run_id, toDateTime64(max(day), 3, 'UTC') AS at FROM account_daily_scores WHERE run_id = 'live' GROUP BY run_id
    UNION ALL
    SELECT run_id, created_at AS at FROM replay_runs FINAL
)
GROUP BY run_id
ORDER BY run_id = 'live' DESC, latest DESC
LIMIT 200
