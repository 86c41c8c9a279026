SELECT
    account_id,
    toUnixTimestamp64Milli(labels.start) AS start,
    toUnixTimestamp64Milli(labels.end) AS end,
    kind, campaign_id, source, note, evidence
FROM labels FINAL
WHERE {source:String} = '' OR source = {source:String}
ORDER BY account_id, start, kind, source
