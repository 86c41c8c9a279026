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

-- A partition's states come in generations, one per life of its engine: a whole state, then changes, then now and then a
-- whole one again. All pieces of a state are inserted as one block, so there is all of it or nothing; the key makes sending
-- them again harmless. States are compressed by who writes them, so here they are not compressed once more. There is no TTL: the
-- state of a partition that is silent for long is still wanted; the writer deletes what a newer whole state has replaced.
CREATE TABLE IF NOT EXISTS model_snapshots
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    partition Int32 COMMENT 'Partition whose engine it is',
    generation UInt64 COMMENT 'Life of the engine, microseconds since the epoch at its start',
    sequence UInt32 COMMENT 'Number of the state within the generation, from 0',
    piece UInt16 COMMENT 'Number of the piece of the state, from 0',
    pieces UInt16 COMMENT 'Pieces that the state was cut into',
    whole Bool COMMENT 'Stands for itself; otherwise what changed since the state before',
    as_of DateTime64(3, 'UTC') COMMENT 'Watermark of the engine: windows before it are closed',
    offset Int64 COMMENT 'Last offset that is in the state',
    accounts UInt32 COMMENT 'Accounts whose state is in it',
    state String COMMENT 'The state or a piece of it, in its own encoding' CODEC(NONE),
    written_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'When the row was written'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (run_id, partition, generation, sequence, piece)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Engine states to restore and to start replays warm; ask with FINAL';
