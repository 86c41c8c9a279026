-- Accounts and campaigns on which the runs do not agree: some have an incident on them and others have none.
SELECT entity_type, entity_id, groupArray((run, detected_at, severity)) AS found
FROM
(
    SELECT toString(run_id) AS run, entity_type, entity_id, min(incidents.detected_at) AS detected_at, argMin(incidents.severity, incidents.detected_at) AS severity
    FROM incidents FINAL
    WHERE run_id IN {runs:Array(String)}
    GROUP BY run, entity_type, entity_id
)
GROUP BY entity_type, entity_id
HAVING length(found) < length({runs:Array(String)})
ORDER BY min(detected_at), entity_id
LIMIT {limit:UInt32}
