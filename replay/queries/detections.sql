-- Every incident of a run as it is now; of a campaign, once for each of its members, detected when it was known to be one.
SELECT
    incident_id, entity_type, entity_id,
    if(entity_type = 'campaign', members.account_id, entity_id) AS account_id,
    toUnixTimestamp64Milli(incidents.opened_at) AS opened_at,
    toUnixTimestamp64Milli(if(entity_type = 'campaign', greatest(incidents.detected_at, members.joined_at), incidents.detected_at))
        AS detected_at,
    toUnixTimestamp64Milli(ifNull(incidents.closed_at, incidents.last_seen_at)) AS ended_at,
    severity, status, peak_score
FROM (SELECT * FROM incidents FINAL WHERE run_id = {run_id:String}) AS incidents
LEFT JOIN (SELECT campaign_id, account_id, joined_at FROM campaign_members FINAL WHERE run_id = {run_id:String}) AS members
    ON incidents.entity_id = members.campaign_id
ORDER BY detected_at, incident_id, account_id
