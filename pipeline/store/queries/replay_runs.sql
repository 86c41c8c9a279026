SELECT
    run_id,
    toUnixTimestamp64Milli(replay_runs.created_at) AS created_at,
    source,
    toUnixTimestamp64Milli(`from`) AS from_ms,
    toUnixTimestamp64Milli(`to`) AS to_ms,
    config, code_version, metrics, status, plan
FROM replay_runs FINAL
ORDER BY created_at DESC, run_id
