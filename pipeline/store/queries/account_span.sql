-- First and last call of an account, of what was received and of what any run scored.
SELECT toUnixTimestamp64Milli(min(first)) AS first_ms, toUnixTimestamp64Milli(max(last)) AS last_ms, count() AS found
FROM
(
    SELECT min(first_call) AS first, max(last_call) AS last
    FROM account_daily_usage WHERE account_id = {account:String} GROUP BY account_id
    UNION ALL
    SELECT min(ts) AS first, max(ts) AS last
    FROM call_scores WHERE account_id = {account:String} GROUP BY account_id
)
