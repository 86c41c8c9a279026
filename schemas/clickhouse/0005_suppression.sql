-- What is to open no incident for a time, and what would have opened one.

-- One row for each pattern, kinds and start; recorded again with another end it is prolonged or lifted. An end not after the
-- start means that it never held. Few rows, kept: a replay of the time reads them again.
CREATE TABLE IF NOT EXISTS suppressions
(
    account String COMMENT 'Account, or a pattern of accounts: * any characters, ? one, [ab] one of them',
    kinds Array(String) COMMENT 'Kinds of incidents, sorted; all when empty',
    since DateTime64(3, 'UTC') COMMENT 'Event time: hours that begin earlier are judged as ever',
    until DateTime64(3, 'UTC') COMMENT 'Event time: so are those that begin at this time or later',
    above Float64 COMMENT 'Evidence from here on, ln(1 + odds), opens an incident all the same',
    note String COMMENT 'Why, in words',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was recorded'
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (account, since, kinds)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Accounts whose hours open no incident for a time; ask with FINAL';

-- A table of its own, so that whoever asks incidents, and whoever listens to their topic, sees what is to be acted on.
CREATE TABLE IF NOT EXISTS suppressed_incidents
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    incident_id String COMMENT 'Id of what was suppressed; stays over its versions, and is another than that of an incident',
    version UInt32 COMMENT 'Grows with each change; the highest is how it is now',
    kind LowCardinality(String) COMMENT 'What it looks like',
    entity_type LowCardinality(String) COMMENT 'account',
    entity_id String COMMENT 'The account''s id',
    opened_at DateTime64(3, 'UTC') COMMENT 'Event time of the first evidence',
    detected_at DateTime64(3, 'UTC') COMMENT 'Event time of the event that would have raised it',
    last_seen_at DateTime64(3, 'UTC') COMMENT 'Event time of the latest evidence',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, by silence or by an incident that opened; NULL before',
    severity LowCardinality(String) COMMENT 'low, medium, high or critical',
    peak_score Float64 COMMENT 'Highest score meanwhile',
    reasons Array(Tuple(feature LowCardinality(String), observed Float64, expected Float64, share Float32))
        COMMENT 'Features that would have raised it',
    status LowCardinality(String) COMMENT 'suppressed',
    output_tokens UInt64 COMMENT 'Answer tokens drawn between opened_at and last_seen_at',
    summary String COMMENT 'One sentence for people',
    suppressed_hours UInt32 COMMENT 'Hours with evidence that were suppressed meanwhile',
    suppressed_by String COMMENT 'Pattern and note of the suppression of the latest of them',
    written_at DateTime('UTC') MATERIALIZED now('UTC') COMMENT 'When the row was written'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, incident_id)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What would have become an incident but for a suppression, newest version; ask with FINAL';

-- How much evidence an analyst had before them; later the incident may have grown.
ALTER TABLE labels ADD COLUMN IF NOT EXISTS evidence Float64 DEFAULT 0
    COMMENT 'Most evidence that incidents of the account had shown in this time when it was labelled, ln(1 + odds); 0 for none'
    AFTER note;
