-- Suppressions that hold for some time, the latest to end first.
SELECT account, kinds, toUnixTimestamp64Milli(suppressions.since) AS since, toUnixTimestamp64Milli(suppressions.until) AS until,
    above, note
FROM suppressions FINAL
WHERE suppressions.until > suppressions.since
ORDER BY suppressions.until DESC, account, since, kinds
LIMIT {limit:UInt32}
