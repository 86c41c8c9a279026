-- What changes when something is written: rows of the tables that pages show, from the server's own books, so that asking costs nothing.
SELECT toString(sipHash64(groupArray((name, total_rows)))) AS revision
FROM
(
    SELECT name, total_rows
    FROM system.tables
    WHERE database = {database:String} AND name IN ('account_windows', 'call_scores', 'campaign_members', 'campaigns', 'incident_triage',
        'incidents', 'labels', 'rejected_events', 'replay_runs', 'suppressed_incidents', 'suppressions')
    ORDER BY name
)
