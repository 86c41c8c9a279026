SELECT generation, sequence, any(whole) AS whole, any(offset) AS offset
FROM model_snapshots FINAL
WHERE run_id = {run_id:String} AND partition = {partition:Int32}
GROUP BY generation, sequence
HAVING count() = any(pieces)
ORDER BY generation, sequence
