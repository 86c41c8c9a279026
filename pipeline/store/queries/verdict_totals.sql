-- Account-days and incidents of accounts in the latest days that a run has seen.
WITH (SELECT toDate32(max(day)) FROM account_daily_scores WHERE run_id = {run_id:String}) - toIntervalDay({days:UInt32} - 1) AS oldest
SELECT
    toUnixTimestamp64Milli(toDateTime64(oldest, 3, 'UTC')) AS since,
    (SELECT uniqExact(account_id, day) FROM account_daily_scores WHERE run_id = {run_id:String} AND day >= oldest) AS account_days,
    (
        SELECT count() FROM incidents FINAL
        WHERE run_id = {run_id:String} AND entity_type = 'account' AND detected_at >= oldest
    ) AS incidents
