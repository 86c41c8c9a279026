DELETE FROM account_states
WHERE run_id = {run_id:String} AND partition = {partition:Int32}
