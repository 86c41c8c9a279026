-- Accounts, campaigns and incidents whose id contains a text; the shortest first.
SELECT what, id
FROM
(
    SELECT 'account' AS what, account_id AS id
    FROM (SELECT DISTINCT account_id FROM account_daily_scores WHERE run_id = {run_id:String})
    UNION ALL
    SELECT 'campaign' AS what, campaign_id AS id FROM campaigns FINAL WHERE run_id = {run_id:String}
    UNION ALL
    SELECT 'incident' AS what, incident_id AS id FROM incidents FINAL WHERE run_id = {run_id:String}
)
WHERE positionCaseInsensitiveUTF8(id, {text:String}) > 0
ORDER BY length(id), id
LIMIT {limit:UInt32}
