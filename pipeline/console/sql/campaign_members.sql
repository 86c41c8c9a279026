-- Members with what they drew in the run, those with the strongest links first.
WITH joined AS
(
    SELECT account_id, joined_at, evidence
    FROM campaign_members FINAL
    WHERE run_id = {run_id:String} AND campaign_id = {campaign:String}
)
SELECT joined.account_id AS account_id, joined_at, evidence, drawn.output_tokens AS output_tokens, drawn.calls AS calls,
    raised.incidents AS incidents
FROM joined
LEFT JOIN
(
    SELECT account_id, sum(output_tokens) AS output_tokens, sum(calls) AS calls
    FROM account_windows FINAL
    WHERE run_id = {run_id:String} AND window_s = 3600 AND account_id IN (SELECT account_id FROM joined)
    GROUP BY account_id
) AS drawn ON drawn.account_id = joined.account_id
LEFT JOIN
(
    SELECT entity_id, count() AS incidents FROM incidents FINAL WHERE run_id = {run_id:String} AND entity_type = 'account' GROUP BY entity_id
) AS raised ON raised.entity_id = joined.account_id
ORDER BY arraySum(evidence.weight) DESC, joined_at, account_id
LIMIT {limit:UInt32}
