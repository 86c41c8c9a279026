-- The highest score that incidents of an account have shown in a time, whether suppressed or not, in any run.
SELECT max(peak_score)
FROM
(
    SELECT peak_score, opened_at, last_seen_at FROM incidents FINAL WHERE entity_type = 'account' AND entity_id = {account:String}
    UNION ALL
    SELECT peak_score, opened_at, last_seen_at FROM suppressed_incidents FINAL WHERE entity_id = {account:String}
)
WHERE opened_at <= fromUnixTimestamp64Milli({end:Int64} + 86400000, 'UTC') AND last_seen_at >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
