-- What a run said of the accounts that people have labelled.
WITH labelled AS (SELECT DISTINCT account_id FROM labels FINAL WHERE source = 'analyst')
SELECT entity_id AS account_id, 'incident' AS what, toUnixTimestamp64Milli(incidents.detected_at) AS at
FROM incidents FINAL
WHERE run_id = {run_id:String} AND entity_type = 'account' AND entity_id IN labelled
UNION ALL
SELECT entity_id AS account_id, 'suppressed' AS what, toUnixTimestamp64Milli(suppressed_incidents.detected_at) AS at
FROM suppressed_incidents FINAL
WHERE run_id = {run_id:String} AND entity_id IN labelled
UNION ALL
SELECT account_id, 'member' AS what, toUnixTimestamp64Milli(campaign_members.joined_at) AS at
FROM campaign_members FINAL
WHERE run_id = {run_id:String} AND account_id IN labelled
