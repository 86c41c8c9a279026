DELETE FROM model_snapshots
WHERE run_id = {run_id:String} AND partition = {partition:Int32}
    AND (generation, sequence) < ({generation:UInt64}, {sequence:UInt32})
