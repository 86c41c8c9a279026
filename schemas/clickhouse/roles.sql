-- Who may do what on a ClickHouse server; `stillwatch migrate --roles` applies it as a user that may grant. An embedded store has no
-- users. People and programs are then made with one of the two roles:
--   CREATE USER analyst IDENTIFIED BY '…' DEFAULT ROLE stillwatch_reader
--
-- The database is written as stillwatch here; it becomes that of the store's address.

-- Analysts, Grafana. readonly = 2 lets a client set how an answer looks, and the limits only up to their bounds.
CREATE SETTINGS PROFILE IF NOT EXISTS stillwatch_reader SETTINGS
    readonly = 2 CONST,
    final = 1,
    session_timezone = 'UTC',
    max_execution_time = 60 MAX 300,
    max_memory_usage = 4000000000 MAX 8000000000,
    max_result_rows = 1000000 MAX 10000000,
    max_concurrent_queries_for_user = 20 CONST,
    allow_ddl = 0 CONST;

CREATE ROLE IF NOT EXISTS stillwatch_reader SETTINGS PROFILE 'stillwatch_reader';

CREATE QUOTA IF NOT EXISTS stillwatch_reader KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 20000, execution_time = 7200, read_bytes = 4000000000000
    TO stillwatch_reader;

GRANT SELECT, SHOW ON stillwatch.* TO stillwatch_reader;

-- Workers, replays, labels: rows in, and out again where a state or a replay is replaced; nothing of the schema.
CREATE SETTINGS PROFILE IF NOT EXISTS stillwatch_writer SETTINGS
    session_timezone = 'UTC',
    max_memory_usage = 16000000000 MAX 32000000000,
    max_concurrent_queries_for_user = 200 CONST,
    allow_ddl = 0 CONST;

CREATE ROLE IF NOT EXISTS stillwatch_writer SETTINGS PROFILE 'stillwatch_writer';

CREATE QUOTA IF NOT EXISTS stillwatch_writer KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 1000000, errors = 100000
    TO stillwatch_writer;

GRANT SELECT, SHOW, INSERT, ALTER DELETE ON stillwatch.* TO stillwatch_writer;
