-- An incident of each two-hundredth account, a third of them still open.
INSERT INTO incidents (run_id, incident_id, version, kind, entity_type, entity_id, opened_at, detected_at, last_seen_at,
    closed_at, severity, peak_score, reasons, status, output_tokens, summary)
WITH cityHash64(number) AS seed,
    addSeconds(toDateTime64('2024-12-01 00:00:00', 3, 'UTC'), toInt64(seed % ({days:UInt32} * 86400))) AS opened
SELECT 'live', lower(hex(seed)), 1 + seed % 5, 'volume', 'account', concat('acct_', leftPad(toString(number * 200), 8, '0')), opened,
    addHours(opened, 3), addHours(opened, 8), if(seed % 3 = 0, NULL, addHours(opened, 14)),
    arrayElement(['low', 'medium', 'high', 'critical'], 1 + seed % 4), 0.9998,
    [('output_tokens', 90000, 900, toFloat32(1))], if(seed % 3 = 0, 'open', 'closed'), seed % 9000000, 'more than usual'
FROM numbers(intDiv({accounts:UInt32}, 200))
