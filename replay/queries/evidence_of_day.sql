-- What incidents were decided by, of the hours of a day; no FINAL: the reader drops what was written twice.
SELECT
    windows.partition AS partition, intDiv(toUnixTimestamp64Milli(windows.window_start), 3600000) AS hour,
    windows.place AS place, sipHash64(windows.account_id) AS account, windows.evidence AS evidence,
    windows.output_tokens AS output_tokens, windows.account_calls AS account_calls,
    toUnixTimestamp64Milli(windows.closed_by) AS closed_by,
    if(windows.evidence >= {named_from:Float64}, windows.account_id, '') AS account_id,
    if(windows.evidence >= {named_from:Float64}, windows.evidence_reasons, []) AS evidence_reasons
FROM account_windows AS windows
WHERE windows.run_id = {run_id:String} AND windows.window_s = 3600 AND toDate(windows.window_start, 'UTC') = {day:Date}
