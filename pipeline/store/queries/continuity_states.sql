SELECT
    uniqExact(partition) AS partitions,
    ifNull(dateDiff('second', maxOrNull(written), now64(3, 'UTC')), 0) AS newest_s,
    ifNull(dateDiff('second', minOrNull(written), now64(3, 'UTC')), 0) AS oldest_s,
    sum(bytes) AS bytes
FROM
(
    SELECT partition, max(written_at) AS written, sum(length(state)) AS bytes
    FROM model_snapshots FINAL
    WHERE run_id = {run_id:String}
    GROUP BY partition
)
