-- A row of campaign_members as the stream has it and as its replay does.
SELECT 'live' AS side, * EXCEPT run_id FROM campaign_members FINAL WHERE run_id = {run_id:String} AND toString((campaign_id, account_id)) = {key:String}
UNION ALL
SELECT 'replayed' AS side, * EXCEPT run_id FROM verify_campaign_members FINAL WHERE run_id = {run_id:String} AND toString((campaign_id, account_id)) = {key:String}
