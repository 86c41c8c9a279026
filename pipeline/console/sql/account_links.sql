-- Accounts that used, in the latest days of an account, a value which it used and which few share: addresses, means of payment,
-- organisations, keys, system prompts.
WITH
    (SELECT max(last_call) FROM account_daily_usage WHERE account_id = {account:String}) AS latest,
    used AS
    (
        SELECT DISTINCT account_id, link.1 AS kind, link.2 AS value
        FROM
        (
            SELECT account_id, arrayJoin([
                ('address', ifNull(client_ip, '')), ('payment', ifNull(payment_id, '')), ('organisation', ifNull(org_id, '')),
                ('key', ifNull(api_key_id, '')), ('system prompt', ifNull(system_prompt_hash, ''))]) AS link
            FROM api_calls
            WHERE ts > latest - toIntervalDay({days:UInt32}) AND ts <= latest
        )
        -- A hash of nothing but zeros is how some senders say that there was none.
        WHERE NOT match(link.2, '^0*$')
    ),
    rare AS
    (
        SELECT kind, value, groupArray(account_id) AS sharers
        FROM used
        GROUP BY kind, value
        HAVING has(sharers, {account:String}) AND length(sharers) BETWEEN 2 AND {most_sharers:UInt32}
    )
SELECT other AS account_id, groupArray(50)((kind, value, length(sharers))) AS links, sum(1 / (length(sharers) - 1)) AS weight
FROM rare
ARRAY JOIN sharers AS other
WHERE other != {account:String}
GROUP BY other
ORDER BY weight DESC, account_id
LIMIT {limit:UInt32}
