"""What the store promises, the same for chDB and over HTTP."""

import itertools
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_support import NOW, START, api_calls, call, incident, insert_calls, scores, windows, write_verdicts

from pipeline.event import ApiCall, Rejected, RejectReason
from pipeline.store.analysis import account_span, explain_account, incidents, top_accounts
from pipeline.store.client import ReadLimits, Store, connect
from pipeline.store.errors import QueryError, SchemaError, StoreError
from pipeline.store.migrate import applied_versions, known_migrations, migrate, pending_migrations, require_schema
from pipeline.store.read import read_api_calls
from pipeline.store.records import Label, ReplayRun, delete_run, read_labels, read_runs, save_run, write_labels
from pipeline.store.rows import account_windows_table, call_scores_table, incidents_table, rejected_table
from pipeline.store.write import Writer

DAY = 86_400_000


def read(store: Store, *arguments: object, accounts: Sequence[str] | None = None) -> list[tuple[int, int, ApiCall]]:
    return [item for items in read_api_calls(store, *arguments, accounts=accounts) for item in items]  # type: ignore[arg-type]


def one(store: Store, sql: str) -> object:
    return store.query_rows(sql)[0][0]


def test_migrating_again_applies_nothing(store: Store) -> None:
    assert migrate(store) == []
    assert pending_migrations(store) == []
    assert set(applied_versions(store)) == {migration.version for migration in known_migrations()}
    require_schema(store)


def test_every_table_and_column_is_documented_in_clickhouse(store: Store) -> None:
    parameters = {"database": store.address.database}
    bare = store.query_rows(
        "SELECT table, name FROM system.columns WHERE database = {database:String} AND comment = '' "
        "AND table NOT LIKE '%\\_view'",
        parameters,
    )
    tables = store.query_rows(
        "SELECT name FROM system.tables WHERE database = {database:String} AND comment = '' AND engine LIKE '%MergeTree'",
        parameters,
    )
    assert (bare, tables) == ([], [])


def test_an_edited_migration_is_refused(store: Store) -> None:
    first, *rest = known_migrations()
    edited = (replace(first, text=first.text + "\n-- edited"), *rest)
    with pytest.raises(SchemaError, match="0001_events differs"):
        migrate(store, edited)


def test_a_newer_schema_is_refused(store: Store) -> None:
    newest = known_migrations()[-1].version
    with pytest.raises(SchemaError, match=f"has schema {newest:04}, this program knows up to 0002"):
        pending_migrations(store, known_migrations()[:2])


def test_a_migration_that_broke_off_is_applied_again(store: Store) -> None:
    store.command("ALTER TABLE schema_migrations DELETE WHERE version = 3", settings={"mutations_sync": 2})
    with pytest.raises(SchemaError, match="lacks migrations 0003_records: run `stillwatch migrate`"):
        require_schema(store)
    assert [migration.version for migration in migrate(store)] == [3]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls=st.lists(api_calls, min_size=1, max_size=25, unique_by=lambda call: call.event_id))
def test_events_come_back_as_they_were(store: Store, calls: list[ApiCall]) -> None:
    store.command("TRUNCATE TABLE api_calls")
    insert_calls(store, calls, list(range(len(calls))), partition=3)
    assert read(store) == [(3, offset, call) for offset, call in enumerate(calls)]


def test_events_come_in_the_order_of_their_offsets(store: Store) -> None:
    calls = [call(index, ts=START + random.Random(index).randrange(3 * DAY)) for index in range(300)]
    placed = [(index % 3, index // 3, item) for index, item in enumerate(calls)]
    for partition, part in itertools.product((2, 0, 1), (slice(50, 100), slice(0, 50))):
        mine = [item for item in placed if item[0] == partition][part]
        insert_calls(store, [item[2] for item in mine], [item[1] for item in mine], partition)
    assert read(store) == sorted(placed, key=lambda item: item[:2])
    window = read(store, START + DAY, START + 2 * DAY)
    assert window == [
        item for item in sorted(placed, key=lambda item: item[:2]) if START + DAY <= item[2].ts < START + 2 * DAY
    ]
    assert window


def test_events_without_offsets_come_in_the_order_of_time(store: Store) -> None:
    calls = [call(index) for index in range(20)]
    insert_calls(store, calls[::-1])
    assert read(store) == [(-1, -1, item) for item in calls]


def test_a_record_delivered_twice_is_read_once(store: Store) -> None:
    calls = [call(index) for index in range(10)]
    insert_calls(store, calls[:7], list(range(7)), token="first")
    insert_calls(store, calls[4:], list(range(4, 10)), token="after a restart")
    assert read(store) == [(0, index, item) for index, item in enumerate(calls)]


def test_events_of_some_accounts(store: Store) -> None:
    calls = [call(index, f"account-{index % 5}") for index in range(50)]
    insert_calls(store, calls, list(range(50)))
    wanted = ["account-1", "account-4", "it's\n\\not there"]
    assert read(store, accounts=wanted) == [(0, i, item) for i, item in enumerate(calls) if item.account_id in wanted]
    assert read(store, accounts=[]) == []


def test_the_first_of_two_deliveries_outlives_merges(store: Store) -> None:
    insert_calls(store, [call(1, model="first")], [10])
    insert_calls(store, [call(1, model="second")], [90])
    store.command("OPTIMIZE TABLE api_calls FINAL")
    assert [(offset, item.model) for _, offset, item in read(store)] == [(10, "first")]


def test_old_events_are_not_expired_on_arrival(store: Store) -> None:
    insert_calls(store, [call(1, ts=1_300_000_000_000)], [1])
    store.command("OPTIMIZE TABLE api_calls FINAL")
    assert len(read(store)) == 1


def test_a_block_sent_twice_counts_once_also_in_the_aggregates(store: Store) -> None:
    calls = [call(index, output_tokens=10, ts=START + index * 40 * DAY) for index in range(5)]
    for _ in range(3):
        insert_calls(store, calls, list(range(5)), token="api-calls/0/0-4")
    assert one(store, "SELECT count() FROM api_calls") == 5
    assert one(store, "SELECT sum(calls) FROM account_daily_usage") == 5
    assert one(store, "SELECT sum(output_tokens) FROM calls_per_minute") == 50
    insert_calls(store, [call(9)], [9], token="api-calls/0/9-9")
    assert one(store, "SELECT sum(calls) FROM account_daily_usage") == 6


def test_aggregates_count_distinct_values_over_blocks(store: Store) -> None:
    for block in range(3):
        calls = [call(block * 100 + i, f"account-{i % 4}", prompt_hash=f"{i:04x}", ts=START + i) for i in range(100)]
        insert_calls(store, calls, list(range(block * 100, block * 100 + 100)))
    assert one(store, "SELECT uniqMerge(prompts) FROM account_daily_usage") == 100
    assert one(store, "SELECT uniqMerge(accounts) FROM calls_per_minute") == 4


def test_verdicts_written_twice_count_once_before_merges(store: Store) -> None:
    calls = [call(index) for index in range(10)]
    rows = call_scores_table(scores(calls, [0.5] * 9 + [0.999]), run_id="live")
    store.insert_arrow("call_scores", rows.slice(0, 7))
    store.insert_arrow("call_scores", rows.slice(3))
    store.insert_arrow("account_windows", account_windows_table(windows("acme", 3), run_id="live"))
    with store.read_only() as reader:
        assert one(reader, "SELECT count() FROM call_scores") == 10
        assert one(reader, "SELECT reasons[1].observed FROM call_scores ORDER BY score DESC LIMIT 1") == 12.5
        assert one(reader, "SELECT (sum(output_tokens), sum(calls)) FROM account_windows") == (3000, 21)
        assert one(reader, "SELECT max(peak_score) FROM account_daily_scores") == np.float32(0.999)


def test_only_the_newest_version_of_an_incident_is_seen(store: Store) -> None:
    for versions in ([incident(3, status="closed")], [incident(1), incident(2)]):
        store.insert_arrow("incidents", incidents_table(versions, run_id="live"))
    found = incidents(store, "live")
    assert [(item["version"], item["status"], item["output_tokens"]) for item in found] == [(3, "closed", 3000)]
    assert incidents(store, "live", status="open") == []
    assert incidents(store, "another run") == []


def test_rejected_events_are_kept_byte_for_byte(store: Store) -> None:
    raw = bytes(range(256))
    at = {"reason": RejectReason.MALFORMED_JSON, "detail": "no", "received_at": NOW}
    with_place = Rejected(raw=raw, topic="api-calls", partition=1, offset=5, **at)  # type: ignore[arg-type]
    of_a_file = Rejected(raw=b"{", source="a.jsonl", **at)  # type: ignore[arg-type]
    for _ in range(2):
        store.insert_arrow("rejected_events", rejected_table([with_place]))
    store.insert_arrow("rejected_events", rejected_table([of_a_file, of_a_file]))
    store.command("OPTIMIZE TABLE rejected_events FINAL")
    assert one(store, "SELECT count() FROM rejected_events") == 3, "equal lines of a file are each counted"
    assert one(store, "SELECT hex(raw) FROM rejected_events WHERE offset = 5") == raw.hex().upper()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO labels (account_id) VALUES ('x')",
        "CREATE TABLE t (a Int8) ENGINE = Memory",
        "DROP TABLE api_calls",
        "ALTER TABLE api_calls DELETE WHERE 1",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT * FROM file('/etc/hostname', 'TSV', 'a String')",
        "TRUNCATE TABLE incidents",
    ],
)
def test_a_read_only_connection_changes_nothing(store: Store, sql: str) -> None:
    with store.read_only() as reader, pytest.raises(QueryError, match=r"READONLY|readonly"):
        reader.command(sql)
    insert_calls(store, [call(1)], [1])


def test_limits_of_a_read_only_connection(store: Store) -> None:
    with store.read_only(ReadLimits(max_rows=10, max_seconds=0.5)) as reader:
        assert reader.query_raw("SELECT number FROM numbers(3)", "CSV") == b"0\n1\n2\n"
        with pytest.raises(QueryError, match="Limit for result exceeded"):
            reader.query_raw("SELECT number FROM numbers(11)", "CSV")
        with pytest.raises(QueryError, match="Timeout exceeded"):
            reader.query_raw("SELECT sleep(3)", "CSV")


def test_bound_parameters_are_only_values(store: Store) -> None:
    hostile = "x' OR 1 = 1; DROP TABLE api_calls --\\\n\t\0'"
    assert store.query_rows("SELECT {x:String}", {"x": hostile}) == [(hostile,)]
    assert incidents(store, hostile, entity=hostile) == []


def test_a_failed_query_leaves_nothing_for_the_next(store: Store) -> None:
    # chDB keeps what a failed query had put out and would give it to the next one.
    failing = "SELECT throwIf(number = 70000) FROM numbers(80000) SETTINGS max_block_size = 1000"
    for _ in range(2):
        with pytest.raises(QueryError, match="throwIf"):
            store.command(failing)
        with pytest.raises(QueryError, match="throwIf"):
            store.query_raw(failing, "CSV")
    assert store.query_raw("SELECT 1 AS a", "CSVWithNames") == b'"a"\n1\n'
    assert store.query_rows("SELECT 2") == [(2,)]


def test_threads_share_a_store_while_queries_fail(store: Store) -> None:
    def work(index: int) -> int:
        if index % 3 == 0:
            with pytest.raises(QueryError):
                store.command("SELECT throwIf(number = 5) FROM numbers(10) SETTINGS max_block_size = 1")
        return int(store.query_rows("SELECT {x:UInt32}", {"x": index})[0][0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(60))) == list(range(60))


def test_errors_are_one_line_and_name_no_version(store: Store) -> None:
    with pytest.raises(QueryError) as caught:
        store.query_rows("SELECT *\nFROM\nno_such_table")
    text = str(caught.value)
    assert caught.value.code == 60
    assert "no_such_table" in text
    assert "\n" not in text
    assert "version" not in text


def test_the_store_can_be_written_while_it_is_read(store: Store) -> None:
    calls = [call(index) for index in range(50_000)]
    insert_calls(store, calls, list(range(50_000)))
    seen = 0
    for block in read_api_calls(store):
        seen += len(block)
        store.insert_arrow("incidents", incidents_table([incident(seen)], run_id="live"))
    assert seen == 50_000
    assert incidents(store, "live")[0]["version"] == 50_000


def test_a_day_is_read_without_the_rest_of_its_month(store: Store) -> None:
    store.command(
        "INSERT INTO api_calls (event_id, ts, account_id, received_at) SELECT toString(number), "
        "toDateTime64('2024-12-01 00:00:00', 3, 'UTC') + number * 13, toString(number % 500), now64(3) FROM numbers(200000)"
    )
    store.command("OPTIMIZE TABLE api_calls FINAL")
    plan = store.query_raw(
        "EXPLAIN indexes = 1 SELECT * FROM api_calls WHERE ts >= '2024-12-05 00:00:00' AND ts < '2024-12-06 00:00:00'",
        "TSVRaw",
    ).decode()
    granules = [line.split()[1] for line in plan[plan.index("by_time") :].splitlines() if "Granules:" in line]
    read_granules, of = map(int, granules[0].split("/"))
    assert of >= 20
    assert read_granules <= 3


def test_labels(store: Store) -> None:
    label = Label(account_id="acme", start=START, end=START + DAY, kind="pool", campaign_id="c1", note="seen")
    write_labels(store, [label, Label(account_id="beta", start=START, end=START, kind="benign", source="scenario")])
    write_labels(store, [Label(account_id="acme", start=START, end=START + 2 * DAY, kind="pool", note="longer")])
    write_labels(store, [])
    assert [(found.account_id, found.end, found.note) for found in read_labels(store)] == [
        ("acme", START + 2 * DAY, "longer"),
        ("beta", START, ""),
    ]
    assert [found.account_id for found in read_labels(store, "scenario")] == ["beta"]


def test_replays_are_recorded_and_deleted(store: Store) -> None:
    run = ReplayRun(
        run_id="r1", created_at=NOW, source="clickhouse", from_ms=START, to_ms=None, config="{}", code_version="1"
    )
    save_run(store, run)
    done = ReplayRun(**{**{name: getattr(run, name) for name in run.__struct_fields__}, "status": "done"})
    save_run(store, done)
    assert read_runs(store) == [done]
    write_verdicts(store, "r1")
    write_verdicts(store, "live")
    delete_run(store, "r1")
    assert read_runs(store) == []
    for table in ("call_scores", "account_windows", "account_daily_scores", "incidents"):
        assert store.query_rows(f"SELECT DISTINCT toString(run_id) FROM {table}") == [("live",)]
    with pytest.raises(ValueError, match="live"):
        delete_run(store, "live")


def test_what_an_analyst_asks(store: Store) -> None:
    write_verdicts(store, "live")
    first, second = top_accounts(store, "live")
    assert (first["account_id"], first["open_incidents"], first["output_tokens"]) == ("acme", 1, 12_000)
    assert (first["peak_score"], first["calls"], first["above_99"]) == (np.float32(0.9998), 20, 1)
    assert (second["account_id"], second["incidents"], second["since"]) == ("calm", 0, None)
    assert top_accounts(store, "live", limit=1) == [first]
    found = explain_account(store, "live", "acme")
    assert found is not None
    assert found["extracted_output_tokens"] == 2000
    assert found["since"] == first["since"]
    assert found["incidents"][0]["reasons"][0]["expected"] == 4.25
    assert [window["window_s"] for window in found["windows"]] == [3600, 3600]
    assert explain_account(store, "live", "nobody") is None
    assert explain_account(store, "another run", "acme") is None
    assert account_span(store, "acme") == (START, START + 19_000)
    assert account_span(store, "nobody") is None


def test_campaigns_and_their_members(store: Store) -> None:
    evidence = "[('payment_id', 'p1', 0.5)]"
    for table, columns, values in (
        (
            "campaigns",
            "run_id, campaign_id, version, opened_at, detected_at, last_seen_at, members, output_tokens, score, evidence, status",
            f"('live', 'c1', 1, 0, 0, 0, 2, 500, 0.99, {evidence}, 'open')",
        ),
        (
            "campaign_members",
            "run_id, campaign_id, account_id, joined_at, evidence",
            f"('live', 'c1', 'acme', 1, {evidence}), ('live', 'c1', 'zeta', 0, {evidence}), ('other', 'c1', 'no', 0, [])",
        ),
    ):
        store.command(f"INSERT INTO {table} ({columns}) VALUES {values}")
    from pipeline.store.analysis import campaigns

    write_verdicts(store, "live")
    assert [(found["campaign_id"], list(found["first_members"])) for found in campaigns(store, "live")] == [
        ("c1", ["zeta", "acme"])
    ]
    found = explain_account(store, "live", "acme")
    assert found is not None
    assert [member["account_id"] for member in found["together_with"]] == ["acme", "zeta"]


def test_the_writer_fills_all_tables(store: Store) -> None:
    calls = [call(index) for index in range(100)]
    writer = Writer(store)
    for start in range(0, 100, 10):
        part = calls[start : start + 10]
        rows = call_scores_table(scores(part, [0.1] * 10), run_id="live")
        writer.add("call_scores", rows, f"api-calls/0/{start}-{start + 9}")
    writer.add("incidents", incidents_table([incident()], run_id="live"))
    assert writer.flush() == 101
    assert writer.waiting_bytes == 0
    assert one(store, "SELECT count() FROM call_scores") == 100


def test_a_store_without_its_schema_says_so(store: Store) -> None:
    fresh = replace(store.address, database="never_migrated")
    secret = {"STILLWATCH_STORE_PASSWORD": "s3cret:word"}
    with connect(fresh, environ=secret) as other, pytest.raises(StoreError, match="run `stillwatch migrate`"):
        require_schema(other)
