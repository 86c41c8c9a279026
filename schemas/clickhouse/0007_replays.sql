-- What a replay needs to be gone on with: everything it was told, so that nobody has to say it again.
ALTER TABLE replay_runs ADD COLUMN IF NOT EXISTS plan String DEFAULT ''
    COMMENT 'Source, window, start and all settings of the run, JSON; what a resumed run goes by' CODEC(ZSTD(3))
    AFTER config;

-- Under what settings a state came to be, so that a replay from it can go on under the same.
ALTER TABLE model_snapshots ADD COLUMN IF NOT EXISTS settings LowCardinality(String) DEFAULT ''
    COMMENT 'Settings of engines and campaigns, JSON; empty where a program did not say'
    AFTER accounts;
