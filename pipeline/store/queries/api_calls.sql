-- Events of a time range in the order in which they were delivered, for replays. Rows without an offset come in the
-- order of time. No FINAL: the reader drops a record delivered twice, which the order puts side by side, and the engine
-- sees every other event that it saw live.
SELECT
    partition, offset,
    event_id, toUnixTimestamp64Milli(ts), account_id,
    api_key_id, org_id, project_id, payment_id, toUnixTimestamp64Milli(signup_ts),
    operation, endpoint, provider, model, stream, n, temperature, top_p, max_tokens, logprobs, tools,
    input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, request_bytes, response_bytes,
    status, error_type, latency_ms, ttft_ms,
    client_ip, asn, country, user_agent,
    prompt_hash, prompt_simhash, system_prompt_hash,
    attributes, schema_version
FROM api_calls
WHERE ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND ts < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND (empty({accounts:Array(String)}) OR account_id IN {accounts:Array(String)})
ORDER BY partition, offset, api_calls.ts, event_id, account_id
