-- What people have said of incidents in the console. A row per incident, the newest stays; a table of its own, since incidents are
-- the engine's and a replay or a restart writes them again.

CREATE TABLE IF NOT EXISTS incident_triage
(
    run_id LowCardinality(String) COMMENT 'live, or the replay''s name',
    incident_id String COMMENT 'Id of the incident',
    state LowCardinality(String) COMMENT 'acknowledged: somebody looks after it; new: back among those that wait',
    note String COMMENT 'In words',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was recorded'
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (run_id, incident_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What people have said of incidents; ask with FINAL';
