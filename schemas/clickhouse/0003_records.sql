-- What people and programs record: verdicts, replays, engine states. Few rows, no partitions; the newest row of a key stays.

CREATE TABLE IF NOT EXISTS labels
(
    account_id String COMMENT 'Account',
    start DateTime64(3, 'UTC') COMMENT 'From when the label holds, event time',
    end DateTime64(3, 'UTC') COMMENT 'Until when it holds',
    kind LowCardinality(String) COMMENT 'What the account did: extraction kinds, or benign',
    campaign_id String COMMENT 'Campaign it belonged to; empty where none',
    source LowCardinality(String) COMMENT 'Who says so: analyst, or a scenario''s name',
    note String COMMENT 'In words',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was recorded'
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (account_id, kind, source, start)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What is known to be true of accounts; ask with FINAL';

CREATE TABLE IF NOT EXISTS replay_runs
(
    run_id String COMMENT 'Name of the replay',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was started',
    source String COMMENT 'Where the events came from: clickhouse, kafka, or files',
    from Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window; NULL for all there was',
    to Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the window, not included; NULL for all there was',
    config String COMMENT 'Settings of the engine, JSON' CODEC(ZSTD(3)),
    code_version String COMMENT 'Version of Stillwatch',
    metrics String COMMENT 'Counts and, once evaluated, figures of merit, JSON' CODEC(ZSTD(3)),
    status LowCardinality(String) COMMENT 'running, done or failed',
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY run_id
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Replays; ask with FINAL';

-- States are compressed by who writes them or not at all; ZSTD at a middle level costs little beside the write.
CREATE TABLE IF NOT EXISTS model_snapshots
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    partition Int32 COMMENT 'Partition whose engine it is',
    as_of DateTime64(3, 'UTC') COMMENT 'Event time of the state',
    offset Int64 COMMENT 'Last offset that is in the state',
    state String COMMENT 'The engine''s state, in its own encoding' CODEC(ZSTD(6)),
    written_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'When the row was written'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (run_id, partition, as_of)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Engine states to restore and to start replays warm; ask with FINAL';
