SELECT account_id, toString(layout) AS layout, state
FROM account_states FINAL
WHERE run_id = {run_id:String} AND partition = {partition:Int32} AND account_id IN {accounts:Array(String)}
