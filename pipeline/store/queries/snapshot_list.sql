SELECT generation, sequence, any(whole) AS is_whole, any(model_snapshots.offset) AS last_offset,
    toUnixTimestamp64Milli(any(model_snapshots.as_of)) AS as_of_ms, any(model_snapshots.settings)
FROM model_snapshots FINAL
WHERE run_id = {run_id:String} AND partition = {partition:Int32}
GROUP BY generation, sequence
HAVING count() = any(pieces)
ORDER BY generation, sequence
