-- What was lost before it could be read, and who has fallen silent.

-- Found again after a crash, a gap has the same first offset; when retention has dropped more since, the larger one stays.
CREATE TABLE IF NOT EXISTS offset_gaps
(
    run_id LowCardinality(String) COMMENT 'live, or the name the worker was given',
    group String COMMENT 'Consumer group that wanted the records',
    topic LowCardinality(String) COMMENT 'Kafka topic',
    partition Int32 COMMENT 'Kafka partition',
    first_offset Int64 COMMENT 'First offset that no longer exists: the group had read all before it',
    last_offset Int64 COMMENT 'Last one; reading went on after it',
    records UInt64 ALIAS last_offset - first_offset + 1 COMMENT 'Offsets that are gone: as many records at most',
    found_at DateTime64(3, 'UTC') COMMENT 'When a worker found it, wall clock'
)
ENGINE = ReplacingMergeTree(last_offset)
ORDER BY (run_id, group, topic, partition, first_offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Records that retention dropped before they were read; ask with FINAL';

-- Silence is a change of behaviour too: an operator whose key was taken, or who has moved on to the next account. It is
-- measured against the newest call of all, so that it means the same in a history of 2024 as it does today.
CREATE VIEW IF NOT EXISTS account_silence
(
    account_id String COMMENT 'Account',
    silent_since DateTime64(3, 'UTC') COMMENT 'Its latest call',
    silent_s Int64 COMMENT 'Seconds from then to the latest call of all accounts',
    active_days UInt64 COMMENT 'Days on which it called',
    usual_gap_s Float64 COMMENT 'Seconds from its first call to its latest, per active day',
    went_silent Bool COMMENT 'Silent for a day and for three usual gaps, after calls on three days or more'
)
AS
WITH (SELECT max(last_call) FROM account_daily_usage) AS newest
SELECT
    account_id,
    CAST(max(last_call), 'DateTime64(3, \'UTC\')') AS silent_since,
    dateDiff('second', silent_since, assumeNotNull(newest)) AS silent_s,
    uniqExact(day) AS active_days,
    dateDiff('second', min(first_call), silent_since) / active_days AS usual_gap_s,
    CAST(active_days >= 3 AND silent_s >= 86400 AND silent_s >= 3 * usual_gap_s, 'Bool') AS went_silent
FROM account_daily_usage
GROUP BY account_id
COMMENT 'How long accounts have been silent';
