-- What the engine says. Every table has run_id ('live' for the stream, the replay's name otherwise) and sorts by it
-- first: a run is asked for as a whole, and live rows are not spread among replays. The engine gives the same rows when it
-- sees the same events again, so Replacing engines fold what a restart wrote twice.
--
-- Scores are ranks among some thousands, at most a million, so Float32 tells all of them apart and takes half the bytes. Where
-- an event stands in Kafka is in api_calls, by account_id, ts and event_id.
--
-- written_at is MATERIALIZED: it is not part of `SELECT *`, so that two runs compare equal, and TTLs count from it.

CREATE TABLE IF NOT EXISTS call_scores
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    account_id String COMMENT 'Account that made the call' CODEC(ZSTD(3)),
    ts DateTime64(3, 'UTC') COMMENT 'When the call was made' CODEC(Delta, T64, ZSTD(1)),
    event_id String COMMENT 'Id of the event' CODEC(ZSTD(1)),
    score Float32 COMMENT 'Calibrated anomaly, 0 to 1: a share of about 1 - s of ordinary calls exceeds s' CODEC(ZSTD(3)),
    late Bool COMMENT 'Whether it came after its windows had closed' CODEC(ZSTD(1)),
    reasons Array(Tuple(feature LowCardinality(String), observed Float32, expected Float32, share Float32))
        COMMENT 'Features that moved the score; empty for ordinary scores' CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (run_id, account_id, ts, event_id)
TTL written_at + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A row per scored call';

CREATE TABLE IF NOT EXISTS account_windows
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    account_id String COMMENT 'Account' CODEC(ZSTD(3)),
    window_s UInt32 COMMENT 'Length of the window in seconds: 60, 600, 3600 or 86400' CODEC(ZSTD(1)),
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the window, event time' CODEC(Delta, ZSTD(1)),
    calls UInt64 COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    input_tokens UInt64 COMMENT 'Prompt tokens' CODEC(T64, ZSTD(1)),
    output_tokens UInt64 COMMENT 'Answer tokens' CODEC(T64, ZSTD(1)),
    cached_input_tokens UInt64 COMMENT 'Prompt tokens from a cache' CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt64 COMMENT 'Reasoning tokens' CODEC(T64, ZSTD(1)),
    errors UInt64 COMMENT 'Calls that failed' CODEC(T64, ZSTD(1)),
    throttled UInt64 COMMENT 'Calls with status 429' CODEC(T64, ZSTD(1)),
    logprobs_calls UInt64 COMMENT 'Calls that asked for log probabilities' CODEC(T64, ZSTD(1)),
    streamed_calls UInt64 COMMENT 'Calls with a streamed answer' CODEC(T64, ZSTD(1)),
    output_tokens_max UInt64 COMMENT 'Longest answer in tokens' CODEC(T64, ZSTD(1)),
    distinct_prompts UInt64 COMMENT 'Distinct prompts' CODEC(T64, ZSTD(1)),
    distinct_families UInt64 COMMENT 'Distinct groups of near-equal prompts' CODEC(T64, ZSTD(1)),
    distinct_system_prompts UInt64 COMMENT 'Distinct system prompts' CODEC(T64, ZSTD(1)),
    distinct_models UInt64 COMMENT 'Distinct models' CODEC(T64, ZSTD(1)),
    distinct_keys UInt64 COMMENT 'Distinct API keys' CODEC(T64, ZSTD(1)),
    distinct_addresses UInt64 COMMENT 'Distinct client addresses' CODEC(T64, ZSTD(1)),
    distinct_user_agents UInt64 COMMENT 'Distinct user agents' CODEC(T64, ZSTD(1)),
    score Float32 COMMENT 'Calibrated anomaly of the window, 0 to 1' CODEC(ZSTD(3)),
    reasons Array(Tuple(feature LowCardinality(String), observed Float32, expected Float32, share Float32))
        COMMENT 'Features that moved the score' CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written' CODEC(ZSTD(1)),
    -- As in api_calls: carries a time range over to the day in the sorting key.
    INDEX by_time window_start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(window_start)
-- Windows of one length are asked for together, mostly those of some days; within a day an account's lie in one piece.
ORDER BY (run_id, window_s, toDate(window_start, 'UTC'), account_id, window_start)
TTL written_at + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A row per closed window of an account';

-- The day's peak and counts of high scores per account, kept while scores arrive: `top` reads a few rows per account
-- instead of every score. max and min stay right whatever is delivered twice; the counts are for orientation.
CREATE TABLE IF NOT EXISTS account_daily_scores
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    day Date COMMENT 'Day of event time, UTC' CODEC(DoubleDelta, ZSTD(1)),
    account_id String COMMENT 'Account' CODEC(ZSTD(1)),
    peak_score SimpleAggregateFunction(max, Float32) COMMENT 'Highest score of a call' CODEC(ZSTD(1)),
    peak_at AggregateFunction(argMax, DateTime64(3, 'UTC'), Float32) COMMENT 'When it was; read with argMaxMerge()',
    window_score SimpleAggregateFunction(max, Float32) COMMENT 'Highest score of a window of ten minutes or more' CODEC(ZSTD(1)),
    scored SimpleAggregateFunction(sum, UInt64) COMMENT 'Scored calls' CODEC(T64, ZSTD(1)),
    above_99 SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls with a score of 0.99 or more' CODEC(T64, ZSTD(1)),
    above_999 SimpleAggregateFunction(sum, UInt64) COMMENT 'Calls with a score of 0.999 or more' CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (run_id, account_id, day)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Peak score and counts of high scores per account and day';

CREATE MATERIALIZED VIEW IF NOT EXISTS account_daily_scores_view TO account_daily_scores AS
SELECT
    run_id,
    toDate(ts, 'UTC') AS day,
    account_id,
    max(score) AS peak_score,
    argMaxState(ts, score) AS peak_at,
    count() AS scored,
    countIf(score >= 0.99) AS above_99,
    countIf(score >= 0.999) AS above_999
FROM call_scores
GROUP BY run_id, day, account_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS account_daily_window_scores_view TO account_daily_scores AS
SELECT run_id, toDate(window_start, 'UTC') AS day, account_id, max(score) AS window_score
FROM account_windows
WHERE window_s >= 600
GROUP BY run_id, day, account_id;

-- No partitions: versions of an incident must meet in one, and there are few rows. The highest version stays.
CREATE TABLE IF NOT EXISTS incidents
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    incident_id String COMMENT 'Id of the incident; stays over its versions',
    version UInt32 COMMENT 'Grows with each change; the highest is the incident as it is now',
    kind LowCardinality(String) COMMENT 'What it looks like',
    entity_type LowCardinality(String) COMMENT 'account or campaign',
    entity_id String COMMENT 'The account''s or campaign''s id',
    opened_at DateTime64(3, 'UTC') COMMENT 'Event time of the first evidence',
    detected_at DateTime64(3, 'UTC') COMMENT 'Event time of the event that raised it',
    last_seen_at DateTime64(3, 'UTC') COMMENT 'Event time of the latest evidence',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it closed; NULL while open',
    severity LowCardinality(String) COMMENT 'low, medium, high or critical',
    peak_score Float64 COMMENT 'Highest score while open',
    reasons Array(Tuple(feature LowCardinality(String), observed Float64, expected Float64, share Float32))
        COMMENT 'Features that raised it',
    status LowCardinality(String) COMMENT 'open or closed',
    output_tokens UInt64 COMMENT 'Answer tokens drawn between opened_at and last_seen_at',
    summary String COMMENT 'One sentence for people',
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, incident_id)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'The newest version of each incident; ask with FINAL';

CREATE TABLE IF NOT EXISTS campaigns
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    campaign_id String COMMENT 'Id of the campaign; stays over its versions',
    version UInt32 COMMENT 'Grows with each change; the highest is the campaign as it is now',
    opened_at DateTime64(3, 'UTC') COMMENT 'Event time of the first evidence',
    detected_at DateTime64(3, 'UTC') COMMENT 'Event time of the event that raised it',
    last_seen_at DateTime64(3, 'UTC') COMMENT 'Event time of the latest evidence',
    members UInt32 COMMENT 'Number of accounts',
    output_tokens UInt64 COMMENT 'Answer tokens drawn by the members',
    score Float64 COMMENT 'How sure it is, 0 to 1',
    evidence Array(Tuple(link LowCardinality(String), value String, weight Float32))
        COMMENT 'What links the members: kind of link, its value, its part of the score',
    status LowCardinality(String) COMMENT 'open or closed',
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, campaign_id)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'The newest version of each campaign of coordinated accounts; ask with FINAL';

-- Asked both ways: who is in this campaign (sorting key), and which campaigns is this account in (the skip index).
CREATE TABLE IF NOT EXISTS campaign_members
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    campaign_id String COMMENT 'Campaign',
    account_id String COMMENT 'Member',
    joined_at DateTime64(3, 'UTC') COMMENT 'Event time at which it was first linked',
    evidence Array(Tuple(link LowCardinality(String), value String, weight Float32))
        COMMENT 'What links this account to the others',
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written',
    INDEX by_account account_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (run_id, campaign_id, account_id)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Accounts of campaigns; ask with FINAL';
