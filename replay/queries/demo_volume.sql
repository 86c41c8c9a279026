-- Which accounts drew far more in a day than on their ordinary days?
SELECT account_id, day, tokens, round(tokens / greatest(usual, 1), 1) AS times_usual
FROM
(
    SELECT account_id, day, sum(output_tokens) AS tokens,
        median(tokens) OVER (PARTITION BY account_id) AS usual, count() OVER (PARTITION BY account_id) AS days
    FROM account_daily_usage
    GROUP BY account_id, day
)
WHERE days >= 5 AND tokens > 100000
ORDER BY times_usual DESC
LIMIT 1 BY account_id
LIMIT 5
