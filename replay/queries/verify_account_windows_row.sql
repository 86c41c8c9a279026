-- A row of account_windows as the stream has it and as its replay does.
SELECT 'live' AS side, * EXCEPT run_id FROM account_windows FINAL WHERE run_id = {run_id:String} AND toString((account_id, window_s, window_start)) = {key:String}
UNION ALL
SELECT 'replayed' AS side, * EXCEPT run_id FROM verify_account_windows FINAL WHERE run_id = {run_id:String} AND toString((account_id, window_s, window_start)) = {key:String}
