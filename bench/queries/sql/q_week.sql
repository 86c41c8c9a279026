-- Who draws most this week, and how much more than in the week before?
SELECT account_id,
    sumIf(output_tokens, day > newest - 7) AS this_week,
    sumIf(output_tokens, day <= newest - 7) AS week_before,
    round(this_week / greatest(week_before, 1), 1) AS times
FROM account_daily_usage, (SELECT max(day) AS newest FROM account_daily_usage) AS latest
WHERE day > newest - 14
GROUP BY account_id
ORDER BY this_week DESC
LIMIT 20
