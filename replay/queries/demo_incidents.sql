-- What was found, when, and how much had gone by then?
SELECT
    entity_type, entity_id, severity, kind, opened_at, detected_at,
    dateDiff('minute', opened_at, detected_at) AS minutes, output_tokens
FROM incidents FINAL
WHERE run_id = 'live'
ORDER BY output_tokens DESC
LIMIT 5
