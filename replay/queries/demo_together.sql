-- Which accounts use a system prompt that few others use, pay with shared means, and call from the same addresses?
SELECT
    substring(system_prompt_hash, 1, 8) AS system_prompt,
    uniqExact(account_id) AS accounts, uniqExact(payment_id) AS payments, uniqExact(client_ip) AS addresses,
    min(toDate(signup_ts)) AS first_signup, max(toDate(signup_ts)) AS last_signup, sum(output_tokens) AS tokens
FROM api_calls FINAL
WHERE system_prompt_hash IS NOT NULL
GROUP BY system_prompt_hash
HAVING accounts BETWEEN 3 AND 1000 AND payments < accounts AND addresses < accounts
ORDER BY tokens DESC
LIMIT 5
