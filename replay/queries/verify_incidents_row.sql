-- A row of incidents as the stream has it and as its replay does.
SELECT 'live' AS side, * EXCEPT run_id FROM incidents FINAL WHERE run_id = {run_id:String} AND toString(incident_id) = {key:String}
UNION ALL
SELECT 'replayed' AS side, * EXCEPT run_id FROM verify_incidents FINAL WHERE run_id = {run_id:String} AND toString(incident_id) = {key:String}
