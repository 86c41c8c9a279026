DELETE FROM model_snapshots
WHERE run_id = {run_id:String} AND partition = {partition:Int32}
    AND (generation, sequence) < ({generation:UInt64}, {sequence:UInt32})
    AND NOT has({kept:Array(Tuple(UInt64, UInt32))}, (generation, sequence))
