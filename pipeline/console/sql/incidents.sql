-- Incidents with what people have said of them: those that wait before those that are seen to, open before closed, the gravest first.
SELECT newest.incident_id AS incident_id, version, newest.kind AS kind, entity_type, entity_id, severity, status, opened_at, detected_at,
    last_seen_at, closed_at, peak_score, output_tokens, summary, reasons, CAST(triage.state = 'acknowledged', 'Bool') AS acknowledged,
    triage.note AS triage_note, if(triage.state = '', NULL, triage.recorded_at) AS triaged_at, verdicts.kind AS verdict,
    verdicts.note AS verdict_note
FROM (SELECT * FROM incidents FINAL WHERE run_id = {run_id:String}) AS newest
LEFT JOIN (SELECT incident_id, state, note, recorded_at FROM incident_triage FINAL WHERE run_id = {run_id:String}) AS triage
    ON triage.incident_id = newest.incident_id
LEFT JOIN
(
    SELECT account_id, argMax(labels.kind, labels.recorded_at) AS kind, argMax(labels.note, labels.recorded_at) AS note
    FROM labels FINAL
    WHERE source = 'analyst'
    GROUP BY account_id
) AS verdicts ON verdicts.account_id = newest.entity_id
WHERE ({incident:String} = '' OR newest.incident_id = {incident:String})
    AND (empty({entities:Array(String)}) OR newest.entity_id IN {entities:Array(String)})
    AND ({status:String} = '' OR newest.status = {status:String})
    AND ({severity:String} = '' OR newest.severity = {severity:String})
    AND ({triage:String} = '' OR (triage.state != 'acknowledged' AND verdicts.kind = '') = ({triage:String} = 'waiting'))
ORDER BY triage.state != 'acknowledged' AND verdicts.kind = '' DESC, status = 'open' DESC,
    indexOf(['critical', 'high', 'medium', 'low'], severity), detected_at DESC, incident_id
LIMIT {limit:UInt32}
