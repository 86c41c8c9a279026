-- What is remembered of accounts that left memory, until they come again.

-- One row for each account that ever left. A row is written while the account is still in memory and in a state of
-- `model_snapshots`; the account leaves once the row is there. So an account that no state names is found here, as it was when it
-- left, and an older row of it is needed by nobody. Small granules: a few accounts are looked up at a time.
CREATE TABLE IF NOT EXISTS account_states
(
    run_id LowCardinality(String) COMMENT 'live, or the name the worker was given',
    partition Int32 COMMENT 'Partition of api-calls',
    account_id String COMMENT 'Account',
    version UInt64 COMMENT 'Grows with each time the account leaves; the highest counts',
    as_of DateTime64(3, 'UTC') COMMENT 'Event time up to which windows were closed then',
    layout LowCardinality(String) COMMENT 'Parts of the engine in the order of the state, with their settings and types; JSON',
    state String COMMENT 'A row of each part, Zstandard' CODEC(NONE)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, partition, account_id)
SETTINGS index_granularity = 128, non_replicated_deduplication_window = 1000
COMMENT 'State of accounts that are not in a worker''s memory; ask with FINAL';
