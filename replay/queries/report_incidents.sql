-- The story of the incidents of some accounts or campaigns.
SELECT
    incident_id, kind, entity_type, entity_id, severity, status, peak_score, output_tokens, summary,
    toUnixTimestamp64Milli(incidents.opened_at) AS opened_at,
    toUnixTimestamp64Milli(incidents.detected_at) AS detected_at,
    toUnixTimestamp64Milli(ifNull(incidents.closed_at, incidents.last_seen_at)) AS ended_at,
    arrayMap(one -> (one.1, one.2, one.3, toFloat64(one.4)), reasons) AS reasons
FROM incidents FINAL
WHERE run_id = {run_id:String} AND entity_id IN {entities:Array(String)}
ORDER BY opened_at, incident_id
LIMIT 1000
