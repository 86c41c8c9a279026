-- Which models do the conspicuous accounts ask for, against all others?
WITH suspects AS (SELECT DISTINCT entity_id FROM incidents WHERE run_id = 'live' AND entity_type = 'account' AND severity = 'critical' AND status = 'open'),
    theirs AS (SELECT ifNull(model, '') AS model, count() AS by_suspects FROM api_calls WHERE account_id IN suspects GROUP BY model),
    everybodys AS (SELECT model, sum(calls) AS calls FROM calls_per_minute GROUP BY model)
SELECT everybodys.model AS model, theirs.by_suspects AS by_suspects, everybodys.calls - theirs.by_suspects AS by_others
FROM everybodys
LEFT JOIN theirs ON theirs.model = everybodys.model
ORDER BY by_suspects DESC
