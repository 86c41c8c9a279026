SELECT run_id, created_at, source, `from` AS from_time, `to` AS to_time, code_version, status, metrics, config
FROM replay_runs FINAL
ORDER BY created_at DESC, run_id
LIMIT 200
