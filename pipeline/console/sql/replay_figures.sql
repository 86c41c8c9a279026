-- What runs found, side by side.
SELECT runs.run_id AS run_id, scored.accounts AS accounts, scored.calls AS calls, scored.above_99 AS above_99, scored.above_999 AS above_999,
    found.incidents AS incidents, found.critical AS critical, found.entities AS accounts_with_incidents, found.drawn AS output_tokens_in_incidents,
    found.first_detected AS first_detected, together.campaigns AS campaigns, together.members AS campaign_members
FROM (SELECT arrayJoin({runs:Array(String)}) AS run_id) AS runs
LEFT JOIN
(
    SELECT toString(run_id) AS run_id, uniqExact(account_id) AS accounts, sum(scored) AS calls, sum(account_daily_scores.above_99) AS above_99,
        sum(account_daily_scores.above_999) AS above_999
    FROM account_daily_scores WHERE run_id IN {runs:Array(String)} GROUP BY run_id
) AS scored ON scored.run_id = runs.run_id
LEFT JOIN
(
    SELECT toString(run_id) AS run_id, count() AS incidents, countIf(severity = 'critical') AS critical,
        uniqExactIf(entity_id, entity_type = 'account') AS entities, sum(output_tokens) AS drawn, minOrNull(detected_at) AS first_detected
    FROM incidents FINAL WHERE run_id IN {runs:Array(String)} GROUP BY run_id
) AS found ON found.run_id = runs.run_id
LEFT JOIN
(
    SELECT toString(run_id) AS run_id, uniqExact(campaign_id) AS campaigns, uniqExact(account_id) AS members
    FROM campaign_members FINAL WHERE run_id IN {runs:Array(String)} GROUP BY run_id
) AS together ON together.run_id = runs.run_id
