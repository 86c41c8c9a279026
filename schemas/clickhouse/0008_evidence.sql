-- What incidents were decided by, so that they can be decided anew, by other thresholds and without the models. Of hours only:
-- windows of other lengths have zeros there, which take next to nothing.

ALTER TABLE account_windows ADD COLUMN IF NOT EXISTS evidence Float32
    COMMENT 'Of hours: ln(1 + odds) of extraction, by which incidents open and close' CODEC(ZSTD(3)) AFTER reasons;

ALTER TABLE account_windows ADD COLUMN IF NOT EXISTS evidence_reasons
    Array(Tuple(feature LowCardinality(String), observed Float64, expected Float64, share Float32))
    COMMENT 'What the evidence is made of, where it could keep an incident open' CODEC(ZSTD(1)) AFTER evidence;

ALTER TABLE account_windows ADD COLUMN IF NOT EXISTS partition Int32
    COMMENT 'Partition of the engine that closed the window' CODEC(T64, ZSTD(1)) AFTER evidence_reasons;

ALTER TABLE account_windows ADD COLUMN IF NOT EXISTS place UInt32
    COMMENT 'Of hours: place among those of the partition that closed together' CODEC(T64, ZSTD(1)) AFTER partition;

ALTER TABLE account_windows ADD COLUMN IF NOT EXISTS account_calls UInt64
    COMMENT 'Of hours: calls of the account until it closed' CODEC(T64, ZSTD(1)) AFTER place;

ALTER TABLE account_windows ADD COLUMN IF NOT EXISTS closed_by DateTime64(3, 'UTC')
    COMMENT 'Of hours: time of the event that let it close' CODEC(Delta, ZSTD(1)) AFTER account_calls;
