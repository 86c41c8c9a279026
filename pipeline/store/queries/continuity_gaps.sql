SELECT count() AS gaps, sum(records) AS records, countIf(found_at > now64(3, 'UTC') - INTERVAL {recent_s:UInt32} SECOND) AS recent,
    toString(maxOrNull(found_at)) AS latest
FROM offset_gaps FINAL
WHERE run_id = {run_id:String} AND group = {group:String}
