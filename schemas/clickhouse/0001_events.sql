-- Events as received, what could not be used, and the aggregates kept by materialized views.
--
-- The same holds in every table:
-- * Partitions are months of the event's time: old months are dropped or moved as a whole, and a query with a time range
--   opens only its months. A day would give ten thousands of parts when years of history are replayed.
-- * Doubles are kept out twice. non_replicated_deduplication_window makes the server drop a block whose
--   insert_deduplication_token it has seen, before the materialized views see it; that covers an insert whose answer was
--   lost. Replacing engines then fold rows with one sorting key at merges; queries use FINAL until that has happened.
-- * TTLs count from when a row was written, never from a time that the event or its record in Kafka carries: imports
--   bring events of past years, which such a TTL would delete on arrival. written_at is MATERIALIZED, so it is not part of
--   `SELECT *` and equal content stays equal.
-- * Times are DateTime64(3, 'UTC'), the milliseconds of the event. Codecs are what was smallest on simulated traffic: Delta
--   and then T64, which cuts integers to the bits a block needs, for times within an account; DoubleDelta for times on a grid;
--   ZSTD(1) after each. Ids that stay the same over an account's calls halve with ZSTD(3), random ones grow by it.

CREATE TABLE IF NOT EXISTS api_calls
(
    event_id String COMMENT 'Unique id of the event, as sent' CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') COMMENT 'When the call was made' CODEC(Delta, T64, ZSTD(1)),
    account_id String COMMENT 'Account that made the call' CODEC(ZSTD(3)),
    api_key_id Nullable(String) COMMENT 'Key used, as an id' CODEC(ZSTD(3)),
    org_id Nullable(String) COMMENT 'Organisation of the account' CODEC(ZSTD(3)),
    project_id Nullable(String) COMMENT 'Project of the key' CODEC(ZSTD(3)),
    payment_id Nullable(String) COMMENT 'Opaque id of the means of payment' CODEC(ZSTD(3)),
    signup_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'When the account was opened' CODEC(ZSTD(1)),
    -- LowCardinality where a part has at most some thousand values: a dictionary per part, and codes instead of text.
    operation LowCardinality(Nullable(String)) COMMENT 'Kind of call, as OpenTelemetry names it: chat, embeddings, ...' CODEC(ZSTD(1)),
    endpoint LowCardinality(Nullable(String)) COMMENT 'Path or operation of the API' CODEC(ZSTD(1)),
    provider LowCardinality(Nullable(String)) COMMENT 'Who serves the model' CODEC(ZSTD(1)),
    model LowCardinality(Nullable(String)) COMMENT 'Model that was asked' CODEC(ZSTD(1)),
    stream Nullable(Bool) COMMENT 'Whether the answer was streamed' CODEC(ZSTD(1)),
    n Nullable(UInt32) COMMENT 'Answers asked for' CODEC(T64, ZSTD(1)),
    temperature Nullable(Float64) COMMENT 'Sampling temperature' CODEC(ZSTD(1)),
    top_p Nullable(Float64) COMMENT 'Nucleus sampling limit' CODEC(ZSTD(1)),
    max_tokens Nullable(UInt32) COMMENT 'Most output tokens allowed' CODEC(T64, ZSTD(1)),
    logprobs Nullable(Bool) COMMENT 'Whether log probabilities were asked for' CODEC(ZSTD(1)),
    tools Nullable(UInt32) COMMENT 'Number of tools offered' CODEC(T64, ZSTD(1)),
    input_tokens Nullable(UInt32) COMMENT 'Tokens of the prompt' CODEC(T64('bit'), ZSTD(1)),
    output_tokens Nullable(UInt32) COMMENT 'Tokens of the answer' CODEC(T64, ZSTD(1)),
    cached_input_tokens Nullable(UInt32) COMMENT 'Prompt tokens served from a cache' CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(UInt32) COMMENT 'Tokens of hidden reasoning' CODEC(T64, ZSTD(1)),
    request_bytes Nullable(UInt64) COMMENT 'Size of the request' CODEC(T64('bit'), ZSTD(1)),
    response_bytes Nullable(UInt64) COMMENT 'Size of the response' CODEC(T64('bit'), ZSTD(1)),
    status Nullable(UInt16) COMMENT 'HTTP status' CODEC(ZSTD(1)),
    error_type LowCardinality(Nullable(String)) COMMENT 'Kind of error, as the API names it' CODEC(ZSTD(1)),
    latency_ms Nullable(Float64) COMMENT 'Milliseconds to the end of the answer' CODEC(ZSTD(1)),
    ttft_ms Nullable(Float64) COMMENT 'Milliseconds to the first token' CODEC(ZSTD(1)),
    client_ip Nullable(String) COMMENT 'Address of the client, or a hash of it' CODEC(ZSTD(3)),
    asn Nullable(UInt32) COMMENT 'Autonomous system of the address' CODEC(ZSTD(1)),
    country LowCardinality(Nullable(String)) COMMENT 'Country of the address' CODEC(ZSTD(1)),
    user_agent Nullable(String) COMMENT 'User agent of the client' CODEC(ZSTD(3)),
    prompt_hash Nullable(String) COMMENT 'Hash of the prompt, hexadecimal' CODEC(ZSTD(3)),
    prompt_simhash Nullable(String) COMMENT 'Simhash of the prompt, 16 hexadecimal digits' CODEC(ZSTD(3)),
    system_prompt_hash Nullable(String) COMMENT 'Hash of the system prompt, hexadecimal' CODEC(ZSTD(3)),
    attributes Map(String, String) COMMENT 'Fields the schema does not know' CODEC(ZSTD(1)),
    schema_version UInt16 DEFAULT 1 COMMENT 'Version of the event schema' CODEC(ZSTD(1)),
    topic LowCardinality(String) COMMENT 'Kafka topic; empty when the event came another way',
    partition Int32 DEFAULT -1 COMMENT 'Kafka partition; -1 where there is none' CODEC(ZSTD(1)),
    offset Int64 DEFAULT -1 COMMENT 'Kafka offset; -1 where there is none' CODEC(Delta, T64('bit'), ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'When the event was received: its time in Kafka' CODEC(Delta, T64, ZSTD(1)),
    prompt_simhash_bits Nullable(UInt64) ALIAS reinterpretAsUInt64(reverse(unhex(prompt_simhash)))
        COMMENT 'The simhash as a number, for bitHammingDistance; computed when asked for',
    -- Of two deliveries of one event the engine counts the first, so the first must outlive merges as well.
    delivery_rank UInt64 MATERIALIZED toUInt64(9223372036854775807 - offset)
        COMMENT 'Higher for earlier offsets; which of two equal events stays' CODEC(Delta, T64('bit'), ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written' CODEC(ZSTD(1)),
    -- ClickHouse does not carry a condition on a DateTime64 over to toDate() in the sorting key; this index does, since
    -- the rows of a granule are of one day.
    INDEX by_time ts TYPE minmax GRANULARITY 1,
    -- Who else has this address or this means of payment? A granule holds the calls of few accounts, so most are passed over.
    INDEX by_address client_ip TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_payment payment_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(delivery_rank)
PARTITION BY toYYYYMM(ts)
-- The day comes first: a replay of some days then reads those days only (by the index above). There are at most 31 days
-- in a partition, so a query for one account still skips to that account within each day. Within an account events lie
-- in time order, which is what compresses them best (neighbouring calls share key, model, address). Replays sort their
-- window by (partition, offset) on disk; a projection in that order would double the table for a query that runs now and
-- then.
ORDER BY (toDate(ts, 'UTC'), account_id, ts, event_id)
-- Thirteen months after it was written, so that a year can be compared with the one before.
TTL written_at + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'API calls as received; the source of replays';

CREATE TABLE IF NOT EXISTS rejected_events
(
    received_at DateTime64(3, 'UTC') COMMENT 'When it was received' CODEC(DoubleDelta, ZSTD(1)),
    source String COMMENT 'File or sender it came from' CODEC(ZSTD(1)),
    topic LowCardinality(String) COMMENT 'Kafka topic; empty when it came another way',
    partition Int32 DEFAULT -1 COMMENT 'Kafka partition; -1 where there is none' CODEC(ZSTD(1)),
    offset Int64 DEFAULT -1 COMMENT 'Kafka offset; -1 where there is none' CODEC(Delta, ZSTD(1)),
    reason LowCardinality(String) COMMENT 'Why it could not be used; a closed list',
    detail String COMMENT 'What was wrong, for people' CODEC(ZSTD(1)),
    raw String COMMENT 'The bytes as received, up to 64 KiB' CODEC(ZSTD(3)),
    -- A record of Kafka has a place that tells it apart; lines of a file have none, and equal lines are each counted.
    row_key UInt64 MATERIALIZED if(offset >= 0, 0, rand64())
        COMMENT 'Tells rows without an offset apart' CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
-- Asked by day and reason; topic, partition and offset make a record delivered twice one row.
ORDER BY (toDate(received_at, 'UTC'), reason, topic, partition, offset, row_key)
TTL written_at + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What could not be used, kept whole, with the reason';

-- Rates for dashboards: a row per minute and what is drawn as separate lines, not per account. One AggregatingMergeTree
-- serves sums (SimpleAggregateFunction, stored as plain numbers) and distinct counts (states of uniq,
-- exact while small, about 1 % off beyond; at 50 distinct values a row they take half of what uniqCombined does). Rows
-- with one key are added up at merges: always ask with sum() and uniqMerge(…).
CREATE TABLE IF NOT EXISTS calls_per_minute
(
    minute DateTime('UTC') COMMENT 'Start of the minute of event time' CODEC(DoubleDelta, ZSTD(1)),
    provider LowCardinality(String) COMMENT 'Who serves the model; empty where unknown',
    model LowCardinality(String) COMMENT 'Model; empty where unknown',
    calls SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    errors SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls with a status of 400 or more' CODEC(T64, ZSTD(1)),
    throttled SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls with status 429' CODEC(T64, ZSTD(1)),
    input_tokens SimpleAggregateFunction(sum, UInt64) COMMENT 'Prompt tokens' CODEC(T64, ZSTD(1)),
    output_tokens SimpleAggregateFunction(sum, UInt64) COMMENT 'Answer tokens' CODEC(T64, ZSTD(1)),
    accounts AggregateFunction(uniq, String) COMMENT 'Distinct accounts; read with uniqMerge(…)'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, provider, model)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Calls and tokens per minute and model, for rates';

CREATE MATERIALIZED VIEW IF NOT EXISTS calls_per_minute_view TO calls_per_minute AS
SELECT
    toStartOfMinute(ts) AS minute,
    ifNull(api_calls.provider, '') AS provider,
    ifNull(api_calls.model, '') AS model,
    count() AS calls,
    countIf(status >= 400) AS errors,
    countIf(status = 429) AS throttled,
    sum(ifNull(api_calls.input_tokens, 0)) AS input_tokens,
    sum(ifNull(api_calls.output_tokens, 0)) AS output_tokens,
    uniqState(account_id) AS accounts
FROM api_calls
GROUP BY minute, provider, model;

-- What an account used each day, for `top`, `explain` and billing-like questions: thousands of times smaller than the
-- events. The account comes first since it is asked for by name, over months.
CREATE TABLE IF NOT EXISTS account_daily_usage
(
    day Date COMMENT 'Day of event time, UTC' CODEC(DoubleDelta, ZSTD(1)),
    account_id String COMMENT 'Account' CODEC(ZSTD(1)),
    calls SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    errors SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls with a status of 400 or more' CODEC(T64, ZSTD(1)),
    throttled SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls with status 429' CODEC(T64, ZSTD(1)),
    input_tokens SimpleAggregateFunction(sum, UInt64) COMMENT 'Prompt tokens' CODEC(T64, ZSTD(1)),
    output_tokens SimpleAggregateFunction(sum, UInt64) COMMENT 'Answer tokens' CODEC(T64, ZSTD(1)),
    cached_input_tokens SimpleAggregateFunction(sum, UInt64) COMMENT 'Prompt tokens from a cache' CODEC(T64, ZSTD(1)),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64) COMMENT 'Reasoning tokens' CODEC(T64, ZSTD(1)),
    first_call SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'First call of the day' CODEC(ZSTD(1)),
    last_call SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'Last call of the day' CODEC(ZSTD(1)),
    prompts AggregateFunction(uniq, Nullable(String)) COMMENT 'Distinct prompt hashes; read with uniqMerge(…)',
    models AggregateFunction(uniq, Nullable(String)) COMMENT 'Distinct models; read with uniqMerge(…)',
    keys AggregateFunction(uniq, Nullable(String)) COMMENT 'Distinct API keys; read with uniqMerge(…)',
    addresses AggregateFunction(uniq, Nullable(String)) COMMENT 'Distinct client addresses; read with uniqMerge(…)'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (account_id, day)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What an account used per day';

CREATE MATERIALIZED VIEW IF NOT EXISTS account_daily_usage_view TO account_daily_usage AS
SELECT
    toDate(ts, 'UTC') AS day,
    account_id,
    count() AS calls,
    countIf(status >= 400) AS errors,
    countIf(status = 429) AS throttled,
    sum(ifNull(api_calls.input_tokens, 0)) AS input_tokens,
    sum(ifNull(api_calls.output_tokens, 0)) AS output_tokens,
    sum(ifNull(api_calls.cached_input_tokens, 0)) AS cached_input_tokens,
    sum(ifNull(api_calls.reasoning_tokens, 0)) AS reasoning_tokens,
    min(ts) AS first_call,
    max(ts) AS last_call,
    uniqState(prompt_hash) AS prompts,
    uniqState(CAST(model, 'Nullable(String)')) AS models,
    uniqState(api_key_id) AS keys,
    uniqState(client_ip) AS addresses
FROM api_calls
GROUP BY day, account_id;
