-- When an incident was; the stream's version of it before those of replays.
SELECT toUnixTimestamp64Milli(opened_at), toUnixTimestamp64Milli(greatest(last_seen_at, detected_at))
FROM incidents FINAL
WHERE incident_id = {incident_id:String}
ORDER BY run_id != 'live', run_id
LIMIT 1
