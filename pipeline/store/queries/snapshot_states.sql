SELECT sequence, state
FROM model_snapshots FINAL
WHERE run_id = {run_id:String} AND partition = {partition:Int32} AND generation = {generation:UInt64}
    AND sequence BETWEEN {first:UInt32} AND {last:UInt32}
ORDER BY sequence, piece
