-- A row of campaigns as the stream has it and as its replay does.
SELECT 'live' AS side, * EXCEPT run_id FROM campaigns FINAL WHERE run_id = {run_id:String} AND toString(campaign_id) = {key:String}
UNION ALL
SELECT 'replayed' AS side, * EXCEPT run_id FROM verify_campaigns FINAL WHERE run_id = {run_id:String} AND toString(campaign_id) = {key:String}
