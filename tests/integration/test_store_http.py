"""clickhouse-connect's HTTP client against the fixture: what only a network has."""

import clickhouse_connect
import pytest
from clickhouse_fixture import PASSWORD, USER, ClickHouseServer
from store_support import call, incident, insert_calls

from pipeline.store.client import Store, connect
from pipeline.store.errors import QueryError, StoreError, StoreUnreachableError
from pipeline.store.rows import incidents_table
from pipeline.store.write import Writer


def client_of(server: ClickHouseServer, **options: object) -> clickhouse_connect.driver.Client:
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=server.port,
        username=USER,
        password=PASSWORD,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("compress", [False, True, "gzip", "lz4", "zstd"])
def test_every_compression_both_ways(clickhouse_server: ClickHouseServer, compress: bool | str) -> None:
    client = client_of(clickhouse_server, compress=compress)
    client.command("CREATE OR REPLACE TABLE packed (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    rows = [(index, "text " * (index % 50)) for index in range(20_000)]
    client.insert("packed", rows, ["a", "b"])
    assert client.query("SELECT * FROM packed ORDER BY a").result_rows == rows
    client.insert_arrow("packed", client.query_arrow("SELECT a + 100000 AS a, b FROM packed"))
    assert client.command("SELECT count() FROM packed") == 40_000
    with client.query_column_block_stream("SELECT a FROM packed ORDER BY a") as blocks:
        assert sum(len(block[0]) for block in blocks) == 40_000
    client.command("DROP TABLE packed")


def test_sessions_keep_their_settings_and_refuse_two_queries_at_once(clickhouse_server: ClickHouseServer) -> None:
    client = client_of(clickhouse_server, session_id="one")
    client.command("SET max_threads = 3")
    assert client.command("SELECT getSetting('max_threads')") == 3
    other = client_of(clickhouse_server)
    assert other.command("SELECT getSetting('max_threads')") != 3


def test_answers_carry_a_summary(clickhouse_server: ClickHouseServer) -> None:
    client = client_of(clickhouse_server)
    found = client.query("SELECT number FROM numbers(1000)", settings={"max_block_size": 100})
    assert int(found.summary["read_rows"]) == 1000
    assert client.ping()
    assert client.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)


def test_bound_parameters_too_long_for_a_url(clickhouse_server: ClickHouseServer) -> None:
    client = client_of(clickhouse_server, form_encode_query_params=True)
    names = [f"account-{index}'\n" for index in range(20_000)]
    assert client.query("SELECT length({names:Array(String)})", parameters={"names": names}).result_rows == [(20_000,)]


def test_a_wrong_password_is_one_line_without_the_password(clickhouse_server: ClickHouseServer) -> None:
    with pytest.raises(StoreError, match="refuses the user writer: set STILLWATCH_STORE_PASSWORD") as caught:
        connect(clickhouse_server.address("stillwatch"), environ={"STILLWATCH_STORE_PASSWORD": "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["clickhouse", "clickhouses"])
def test_no_server_is_one_line(clickhouse_server: ClickHouseServer, scheme: str) -> None:
    with pytest.raises(StoreUnreachableError, match=r"does not answer \(Connection refused\)"):
        connect(f"{scheme}://ann@127.0.0.1:9/stillwatch", environ={})


def test_something_else_on_the_port_is_one_line(http_store: Store, clickhouse_server: ClickHouseServer) -> None:
    clickhouse_server.faults({"kind": "status", "status": 502})
    with pytest.raises(StoreUnreachableError, match="answers HTTP status 502"):
        http_store.query_rows("SELECT 1")


def test_a_server_that_comes_up_late_is_waited_for(clickhouse_server: ClickHouseServer) -> None:
    clickhouse_server.faults({"kind": "status", "status": 500}, {"kind": "status", "status": 500})
    lines: list[str] = []
    address = clickhouse_server.address("stillwatch")
    with connect(address, environ=clickhouse_server.environ, patience_s=30, waiting=lines.append) as store:
        assert store.ping()
    assert len(lines) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "error", "code": 252, "text": "Too many parts"},
        {"kind": "error", "code": 159, "text": "Timeout exceeded"},
        {"kind": "drop"},
        {"kind": "apply_then_drop"},
    ],
)
def test_an_insert_with_a_lost_answer_counts_once(
    http_store: Store, clickhouse_server: ClickHouseServer, fault: dict[str, object]
) -> None:
    from pipeline.store.rows import api_calls_table

    writer = Writer(http_store, sleep=lambda _: None)
    rows = api_calls_table([call(index) for index in range(50)], received_at=1, partition=0, offsets=range(50))
    writer.add("api_calls", rows, "api-calls/0/0-49")
    clickhouse_server.faults(*[{**fault, "match": "INSERT"}] * 4)
    assert writer.flush() == 50
    assert http_store.query_rows("SELECT count() FROM api_calls") == [(50,)]
    assert http_store.query_rows("SELECT sum(calls) FROM account_daily_usage") == [(50,)]


def test_the_writer_waits_out_a_restart(http_store: Store, clickhouse_server: ClickHouseServer) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            clickhouse_server.start()

    writer = Writer(http_store, sleep=sleep)
    writer.add("incidents", incidents_table([incident()], run_id="live"))
    clickhouse_server.stop()
    assert writer.flush() == 1
    assert len(pauses) == 2
    assert http_store.query_rows("SELECT count() FROM incidents") == [(1,)]
    insert_calls(http_store, [call(1)], [1])


def test_a_refused_insert_names_what_is_wrong(http_store: Store) -> None:
    rows = incidents_table([incident()], run_id="live").rename_columns({"run_id": "no_run_id"})
    with pytest.raises(QueryError, match="no_run_id") as caught:
        http_store.insert_arrow("incidents", rows)
    assert not caught.value.transient
