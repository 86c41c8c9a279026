-- The windows of one length of one day, as they are: sums over the calls.
INSERT INTO account_windows (run_id, account_id, window_s, window_start, calls, input_tokens, output_tokens,
    cached_input_tokens, errors, throttled, streamed_calls, output_tokens_max, distinct_prompts, distinct_families, distinct_models,
    distinct_keys, distinct_addresses, distinct_user_agents, distinct_system_prompts, score, reasons)
SELECT 'live', account_id, {window_s:UInt32}, start, calls, inputs, outputs, cached, failed, failed, streamed, longest, calls,
    calls, 1 + calls % 2, 1, 1 + calls % 3, 1, 1, score,
    if(score < 0.95, [], [('output_tokens', toFloat32(outputs), toFloat32(900), toFloat32(1))])
FROM
(
    SELECT account_id,
        toDateTime64(intDiv(toUnixTimestamp(ts), {window_s:UInt32}) * {window_s:UInt32}, 3, 'UTC') AS start,
        count() AS calls, sum(ifNull(input_tokens, 0)) AS inputs, sum(ifNull(output_tokens, 0)) AS outputs,
        sum(ifNull(cached_input_tokens, 0)) AS cached, countIf(status >= 400) AS failed, countIf(stream) AS streamed,
        max(ifNull(output_tokens, 0)) AS longest,
        1 - (1 + cityHash64(account_id, start) % 5000) / 5001 AS score
    FROM api_calls
    WHERE ts >= addDays(toDateTime64('2024-12-01 00:00:00', 3, 'UTC'), {day:UInt32})
        AND ts < addDays(toDateTime64('2024-12-01 00:00:00', 3, 'UTC'), {day:UInt32} + 1)
    GROUP BY account_id, start
)
