SELECT campaign_id, opened_at, detected_at, last_seen_at, members, output_tokens, score, status, evidence
FROM campaigns FINAL
WHERE run_id = {run_id:String} AND campaign_id = {campaign:String}
