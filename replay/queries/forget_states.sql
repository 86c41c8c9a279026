DELETE FROM model_snapshots WHERE run_id = {run_id:String}
