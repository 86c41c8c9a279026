-- The calls of an account on a day, each with its score.
SELECT calls.ts AS ts, calls.model AS model, calls.client_ip AS client_ip, calls.input_tokens AS input_tokens,
    calls.output_tokens AS output_tokens, calls.prompt_hash AS prompt_hash, scores.score AS score, scores.reasons AS reasons
FROM (SELECT * FROM api_calls WHERE account_id = {account:String} AND ts >= {day:Date} AND ts < {day:Date} + 1) AS calls
LEFT JOIN
(
    SELECT event_id, score, reasons FROM call_scores
    WHERE run_id = 'live' AND account_id = {account:String} AND ts >= {day:Date} AND ts < {day:Date} + 1
) AS scores ON scores.event_id = calls.event_id
ORDER BY ts
LIMIT 1000
