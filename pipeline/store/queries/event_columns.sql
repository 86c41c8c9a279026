-- What the engine reads of the events of one partition, in the order in which they were delivered. What came another way than
-- through Kafka has no partition and gets the one Kafka would give. No FINAL: see api_calls.sql.
SELECT
    offset, toUnixTimestamp64Milli(api_calls.ts) AS ts, account_id, event_id,
    prompt_simhash, prompt_hash, system_prompt_hash, model, api_key_id, client_ip, user_agent, payment_id, org_id,
    input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, status, logprobs, stream, asn,
    toUnixTimestamp64Milli(api_calls.signup_ts) AS signup_ts, n, tools, max_tokens, temperature
FROM api_calls
WHERE api_calls.ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND api_calls.ts < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND if(partition >= 0, partition, toInt32(kafkaMurmurHash(account_id) % {partitions:UInt32})) = {partition:Int32}
    AND (offset < 0 OR offset > {after:Int64})
    AND (empty({accounts:Array(String)}) OR account_id IN {accounts:Array(String)})
ORDER BY offset, api_calls.ts, event_id, account_id
