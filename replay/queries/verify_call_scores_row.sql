-- A row of call_scores as the stream has it and as its replay does.
SELECT 'live' AS side, * EXCEPT run_id FROM call_scores FINAL WHERE run_id = {run_id:String} AND toString((account_id, ts, event_id)) = {key:String}
UNION ALL
SELECT 'replayed' AS side, * EXCEPT run_id FROM verify_call_scores FINAL WHERE run_id = {run_id:String} AND toString((account_id, ts, event_id)) = {key:String}
