SELECT
    (SELECT count() FROM call_scores FINAL WHERE run_id = {run_id:String}) AS call_scores,
    (SELECT count() FROM account_windows FINAL WHERE run_id = {run_id:String}) AS account_windows,
    (SELECT count() FROM incidents FINAL WHERE run_id = {run_id:String}) AS incidents,
    (SELECT uniqExact(entity_id) FROM incidents FINAL WHERE run_id = {run_id:String} AND entity_type = 'account')
        AS accounts_with_incidents,
    (SELECT count() FROM campaigns FINAL WHERE run_id = {run_id:String}) AS campaigns
