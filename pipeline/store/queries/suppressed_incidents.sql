SELECT incident_id, version, kind, entity_type, entity_id, severity, status, opened_at, detected_at, last_seen_at, closed_at,
    peak_score, output_tokens, summary, reasons, suppressed_hours, suppressed_by
FROM suppressed_incidents FINAL
WHERE run_id = {run_id:String} AND ({entity:String} = '' OR entity_id = {entity:String})
ORDER BY detected_at DESC, incident_id
LIMIT {limit:UInt32}
