-- The latest state of each partition's engine; negative numbers are those that follow campaigns.
SELECT partition, max(states.written_at) AS written_at, max(states.as_of) AS as_of, argMax(states.accounts, states.written_at) AS accounts, sum(length(state)) AS bytes,
    dateDiff('second', max(states.written_at), now64(3, 'UTC')) AS age_s
FROM model_snapshots AS states FINAL
WHERE run_id = {run_id:String}
GROUP BY partition
ORDER BY partition
LIMIT 1000
