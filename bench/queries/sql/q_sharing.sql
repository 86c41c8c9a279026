-- Who shares an address or a means of payment with a suspect?
WITH
    addresses AS (SELECT DISTINCT client_ip FROM api_calls WHERE account_id = {account:String} AND client_ip IS NOT NULL),
    payments AS (SELECT DISTINCT payment_id FROM api_calls WHERE account_id = {account:String} AND payment_id IS NOT NULL)
SELECT account_id, groupUniqArray(5)(client_ip) AS addresses_shared, groupUniqArray(5)(payment_id) AS payments_shared, count() AS calls
FROM api_calls
WHERE account_id != {account:String} AND (client_ip IN addresses OR payment_id IN payments)
GROUP BY account_id
ORDER BY calls DESC
LIMIT 50
