DELETE FROM model_snapshots
WHERE run_id = {run_id:String} AND partition IN {partitions:Array(Int32)}
    AND (generation, sequence) < (
        {generations:Array(UInt64)}[indexOf({partitions:Array(Int32)}, partition)],
        {sequences:Array(UInt32)}[indexOf({partitions:Array(Int32)}, partition)]
    )
    AND NOT has({kept:Array(Tuple(Int32, UInt64, UInt32))}, (partition, generation, sequence))
