-- The accounts whose evidence differs most between two runs: the hours that do, how much they showed at most, and the features
-- that differ most in nats, added up over these hours. An hour's reasons are known where it could keep an incident open.
WITH
    hours AS
    (
        SELECT account_id, window_start,
            maxIf(evidence, run_id = {a:String}) AS evidence_a, maxIf(evidence, run_id = {b:String}) AS evidence_b,
            anyIf(evidence_reasons, run_id = {a:String}) AS reasons_a, anyIf(evidence_reasons, run_id = {b:String}) AS reasons_b
        FROM account_windows
        WHERE run_id IN ({a:String}, {b:String}) AND window_s = 3600
        GROUP BY account_id, window_start
    ),
    nats AS
    (
        SELECT account_id, evidence_a, evidence_b,
            arrayMap(one -> (one.feature, one.share * evidence_b), reasons_b) AS of_b,
            arrayMap(one -> (one.feature, -one.share * evidence_a), reasons_a) AS of_a
        FROM hours
    ),
    accounts AS
    (
        SELECT account_id, countIf(evidence_a != evidence_b) AS hours_changed, max(evidence_a) AS peak_a, max(evidence_b) AS peak_b,
            sum(abs(evidence_b - evidence_a)) AS moved,
            sumMap(arrayMap(one -> toString(one.1), arrayConcat(of_a, of_b)), arrayMap(one -> toFloat64(one.2), arrayConcat(of_a, of_b)))
                AS by_feature
        FROM nats
        GROUP BY account_id
    )
SELECT account_id, hours_changed, peak_a, peak_b, moved,
    arraySlice(arrayReverseSort(one -> abs(one.2), arrayZip(by_feature.1, by_feature.2)), 1, 3) AS features
FROM accounts
WHERE hours_changed > 0 OR account_id IN {accounts:Array(String)}
ORDER BY account_id IN {accounts:Array(String)} DESC, moved DESC, account_id
LIMIT {limit:UInt32}
