-- Accounts of a run that have left memory since it began, whether they are back or not.
SELECT uniqExact(partition, account_id) AS accounts
FROM account_states
WHERE run_id = {run_id:String}
