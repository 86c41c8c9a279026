-- What all accounts drew, by window, and how much of it went to accounts that have an incident or are in a campaign.
WITH alerted AS
(
    SELECT entity_id FROM incidents FINAL WHERE run_id = {run_id:String} AND entity_type = 'account'
    UNION DISTINCT
    SELECT account_id FROM campaign_members FINAL WHERE run_id = {run_id:String}
)
SELECT
    toUnixTimestamp64Milli(account_windows.window_start) AS start,
    sum(account_windows.calls) AS calls,
    sum(account_windows.output_tokens) AS output_tokens,
    sumIf(account_windows.output_tokens, account_id IN alerted) AS alerted_tokens
FROM account_windows FINAL
WHERE run_id = {run_id:String} AND window_s = {window_s:UInt32}
GROUP BY start
ORDER BY start
