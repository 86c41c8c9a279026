-- Labels that people gave, not the truths of scenarios; the latest first.
SELECT account_id, toUnixTimestamp64Milli(labels.start) AS start, toUnixTimestamp64Milli(labels.end) AS end, kind, evidence,
    toUnixTimestamp64Milli(labels.recorded_at) AS recorded_at
FROM labels FINAL
WHERE source = 'analyst'
ORDER BY labels.recorded_at DESC, account_id, start, kind
LIMIT {limit:UInt32}
