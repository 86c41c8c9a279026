-- An account's closed windows of one length with what was usual by then: the middle 80% and the median of the 300 windows before,
-- those within incidents of the account or its campaigns left out; NULL where fewer than 12 are left.
WITH
    (
        SELECT groupArray((opened_at, last_seen_at))
        FROM incidents FINAL
        WHERE run_id = {run_id:String} AND (entity_id = {account:String} OR entity_id IN
        (
            SELECT campaign_id FROM campaign_members FINAL WHERE run_id = {run_id:String} AND account_id = {account:String}
        ))
    ) AS spans
SELECT toUnixTimestamp64Milli(window_start) AS t, calls, input_tokens, output_tokens, errors, score,
    if(ordinary < 12, NULL, usual[1]) AS low, if(ordinary < 12, NULL, usual[2]) AS middle, if(ordinary < 12, NULL, usual[3]) AS high
FROM
(
    SELECT window_start, calls, input_tokens, output_tokens, errors, score,
        NOT arrayExists(span -> window_start >= span.1 AND window_start < span.2, spans) AS is_ordinary,
        countIf(is_ordinary) OVER before AS ordinary,
        quantilesIf(0.1, 0.5, 0.9)(output_tokens, is_ordinary) OVER before AS usual
    FROM account_windows FINAL
    WHERE run_id = {run_id:String} AND window_s = {window_s:UInt32} AND account_id = {account:String}
        AND window_start >= fromUnixTimestamp64Milli({from_ms:Int64} - 604800000, 'UTC')
        AND window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    WINDOW before AS (ORDER BY window_start ROWS BETWEEN 300 PRECEDING AND 1 PRECEDING)
)
WHERE window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
ORDER BY t
LIMIT {limit:UInt32}
