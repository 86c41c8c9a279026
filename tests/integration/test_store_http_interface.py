"""The HTTP interface on an embedded store that this process holds: what is asked, what is refused, and to whom it answers."""

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import lz4.block
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import given
from hypothesis import strategies as st
from store_support import write_verdicts

from pipeline.store.client import Store, _through_holder, connect
from pipeline.store.errors import QueryError
from pipeline.store.http.access import TOKEN_FILE
from pipeline.store.http.blocks import in_blocks
from pipeline.store.http.limits import HttpLimits, settings_of
from pipeline.store.http.permitted import RefusedError, one_statement
from pipeline.store.http.server import LARGEST_BODY, HttpInterface, serve
from pipeline.store.migrate import migrate

HOSTILE = "<script>alert('1')</script>\"`\\\n\u202edrop; --"
# Longer than a test may take: a query that goes on so long was not stopped.
LIMITS = HttpLimits(max_seconds=120.0, max_rows=10_000, max_memory_bytes=200 << 20, at_once=1, waiting=1)
PROGRAM = "import sys; from pipeline.command_line import build_app; from pipeline.command_line.run import run; "
PROGRAM += "sys.exit(run(build_app(), sys.argv[1:]))"


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('held') / 'store'}") as store:
        migrate(store)
        write_verdicts(store, "live", hostile=HOSTILE)
        yield store


@pytest.fixture(scope="module")
def interface(held: Store) -> Iterator[HttpInterface]:
    with serve(held, 0, limits=LIMITS) as interface:
        yield interface


def ask(
    interface: HttpInterface, sql: str, *, headers: dict[str, str] | None = None, **parameters: str
) -> tuple[int, bytes, dict[str, str]]:
    """POST a query; status, body and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", interface.port, timeout=30)
    try:
        connection.request("POST", "/?" + urllib.parse.urlencode(parameters), sql.encode(), headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.headers)
    finally:
        connection.close()


def ask_bytes(interface: HttpInterface, body: bytes, headers: dict[str, str]) -> int:
    """POST any bytes; the status."""
    connection = http.client.HTTPConnection("127.0.0.1", interface.port, timeout=30)
    try:
        connection.request("POST", "/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def program(interface: HttpInterface, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, which finds the interface by itself in the store's folder."""
    store = ["--store", f"chdb:{interface.store.address.folder}"]
    return subprocess.run([sys.executable, "-c", PROGRAM, *arguments, *store], capture_output=True, text=True)


def test_a_query_by_get_and_post_in_any_format(interface: HttpInterface) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", interface.port)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b"Ok.\n"
    connection.request("GET", "/?query=" + urllib.parse.quote("SELECT count() FROM incidents FORMAT JSONEachRow"))
    answer = connection.getresponse()
    assert json.loads(answer.read()) == {"count()": 1}
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    status, body, headers = ask(
        interface, "SELECT entity_id FROM incidents", default_format="CSVWithNames", query_id="q7"
    )
    assert (status, body) == (200, b'"entity_id"\n"acme"\n')
    assert headers["X-ClickHouse-Query-Id"] == "q7"
    assert int(json.loads(headers["X-ClickHouse-Summary"])["read_rows"]) > 0
    assert ask(interface, "SHOW TABLES LIKE 'incidents';")[1] == b"incidents\n"
    # A result without rows has its names all the same.
    assert ask(interface, "SELECT 1 AS a WHERE 0", default_format="CSVWithNames")[1] == b'"a"\n'


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_answers_are_compressed_as_asked(interface: HttpInterface, encoding: str) -> None:
    with_it = ask(interface, "SELECT number FROM numbers(5000)", headers={"Accept-Encoding": f"{encoding}, br;q=0.1"})
    assert with_it[2]["Content-Encoding"] == encoding
    assert len(with_it[1]) < len(ask(interface, "SELECT number FROM numbers(5000)")[1])
    if encoding == "gzip":
        assert gzip.decompress(with_it[1]).endswith(b"\n4999\n")


def test_compress_gives_the_blocks_that_clickhouse_itself_writes(interface: HttpInterface) -> None:
    body = ask(interface, "SELECT number FROM numbers(5000)", compress="1")[1]
    size = int.from_bytes(body[17:21], "little")
    assert body[16] == 0x82
    assert lz4.block.decompress(body[25 : 16 + size], int.from_bytes(body[21:25], "little")).endswith(b"\n4999\n")
    # The checksum of one of ClickHouse's own blocks, in the file of a table's column, against ours of the same data.
    file = next(Path(interface.store.address.folder or "").glob("data/stillwatch/schema_migrations/*/*.bin"))
    theirs = file.read_bytes()
    packed = int.from_bytes(theirs[17:21], "little")
    data = lz4.block.decompress(theirs[25 : 16 + packed], int.from_bytes(theirs[21:25], "little"))
    ours = in_blocks(data)
    assert ours[16] == theirs[16]
    if ours[25:] == theirs[25 : 16 + packed]:
        assert ours == theirs[: 16 + packed]


def test_clickhouse_connect_reads_and_binds(interface: HttpInterface) -> None:
    client = clickhouse_connect.get_client(host="127.0.0.1", port=interface.port)
    rows = client.query("SELECT entity_id, opened_at FROM incidents WHERE run_id = {run:String}", {"run": "live"})
    assert rows.result_rows[0][0] == "acme"
    found = client.query(
        "SELECT DISTINCT account_id FROM account_windows WHERE account_id = {a:String}", {"a": HOSTILE}
    )
    assert found.result_rows == [(HOSTILE,)]
    assert client.query_arrow("SELECT number FROM numbers(3)").num_rows == 3
    assert client.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)
    frame = client.query("SELECT number FROM numbers(100)", settings={"max_block_size": 10})
    assert len(frame.result_rows) == 100
    with pytest.raises(DatabaseError, match="READONLY"):
        client.insert("labels", [["a"]], ["account_id"])
    with pytest.raises(DatabaseError, match="READONLY"):
        client.command("DROP TABLE labels")


def test_jdbc_is_told_how_many_rows_there_are(interface: HttpInterface) -> None:
    # It takes an answer for empty otherwise.
    asked = {"X-ClickHouse-Format": "RowBinaryWithNamesAndTypes", "X-ClickHouse-Database": "stillwatch"}
    _, body, headers = ask(interface, "SELECT number FROM numbers(7) WHERE number > 3", headers=asked)
    assert body.startswith(b"\x01\x06number\x06UInt64")
    assert json.loads(headers["X-ClickHouse-Summary"])["result_rows"] == "3"


def test_clickhouse_go_is_told_of_blocks_without_a_revision(interface: HttpInterface) -> None:
    greeting = "SELECT displayName(), version(), revision(), timezone()"
    asked = {"client_protocol_version": "54460", "default_format": "Native"}
    body = ask(interface, greeting, **asked)[1]
    # Information on the block, four columns of one row, and each says that its serialization is an ordinary one.
    assert body.startswith(b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01\x0ddisplayName()\x06String\x00")
    assert b"\x0arevision()\x06UInt32\x00\x00\x00\x00\x00\x0atimezone()" in body
    assert ask(interface, "SELECT 1 AS a", **asked)[1] == ask(interface, "SELECT 1 AS a FORMAT Native")[1]


REFUSED = [
    "INSERT INTO labels (account_id) VALUES ('a')",
    "INSERT INTO labels SELECT * FROM labels",
    "ALTER TABLE labels DELETE WHERE 1",
    "DROP TABLE labels",
    "TRUNCATE TABLE labels",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE t (a Int8)",
    "SET readonly = 0",
    "USE system",
    "SYSTEM FLUSH LOGS",
    "KILL QUERY WHERE 1",
    "OPTIMIZE TABLE labels",
    "BACKUP TABLE labels TO Disk('a', 'b')",
    "CHECK TABLE labels",
    "GRANT SELECT ON *.* TO x",
    "ATTACH TABLE t",
    "EXPLAIN INSERT INTO labels SELECT * FROM labels",
    "SELECT 1; DROP TABLE labels",
    "SELECT 1 # '\n; KILL QUERY WHERE 1 --'",
    "SELECT ‘ ' ’; KILL QUERY WHERE 1 --'",
    "SELECT $$ ' $$; KILL QUERY WHERE 1 --'",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 INTO/**/OUTFILE '{out}'",
    "SHOW TABLES INTO OUTFILE '{out}'",
    "SELECT file('/etc/hostname')",
    "WITH `FILE`('/etc/hostname') AS x SELECT x",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "DESCRIBE TABLE file('/etc/hostname', 'LineAsString')",
    "EXPLAIN SELECT * FROM view(SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString'))",
    "SELECT * FROM numbers(1) WHERE number IN (SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV', 'a UInt64'))",
    "SELECT * FROM remote('127.0.0.1', 'system', 'one')",
    "SELECT * FROM executable('sh', 'TSV', 'a String')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM Python(interface)",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT hasColumnInTable('127.0.0.1', 'default', '', 'system', 'one', 'dummy')",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "",
    "-- nothing",
    "SELECT 'open",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_does_more_than_read_is_refused(interface: HttpInterface, sql: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, body, headers = ask(interface, sql.replace("{out}", str(out)))
    assert status >= 400, body
    assert body.startswith(b"Code: ")
    assert int(headers["X-ClickHouse-Exception-Code"]) in (36, 62, 164, 492), body
    assert not out.exists()
    assert ask(interface, "SELECT count() FROM labels")[1] == b"0\n"


@given(st.text(min_size=1, max_size=40))
def test_a_string_is_one_statement_whatever_is_in_it(text: str) -> None:
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    assert one_statement(f"SELECT {quoted};".encode(errors="replace"))
    with pytest.raises(RefusedError):
        one_statement(f"SELECT {quoted}; SELECT 1".encode(errors="replace"))


def test_errors_have_clickhouses_codes_and_statuses(interface: HttpInterface) -> None:
    for sql, status, code in [("SELECT nothing", 404, "47"), ("SELECT * FROM t", 404, "60"), ("SELEC", 400, "62")]:
        got, body, headers = ask(interface, sql)
        assert (got, headers["X-ClickHouse-Exception-Code"]) == (status, code), body
    assert ask(interface, "SELECT 1", database="a`b")[0] == 404
    assert ask(interface, "SELECT {a:String}", **{"param_a'": "1"})[0] in (400, 404)
    assert ask(interface, "SELECT 1", default_format="x y")[0] == 404
    assert ask(interface, "SELECT '\ud800'".encode("utf-8", "surrogatepass").decode("latin-1"))[0] == 200


def test_a_runaway_query_is_stopped_and_others_wait_their_turn_or_are_refused(interface: HttpInterface) -> None:
    forever = "SELECT count() FROM numbers(1000000000000)"
    answers: list[tuple[int, bytes, dict[str, str]]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(interface, forever, max_execution_time="1"))) for _ in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(answer[2]["X-ClickHouse-Exception-Code"] for answer in answers)
    assert codes == ["159", "159", "202"]
    assert (
        ask(interface, "SELECT groupArray(number) FROM numbers(1000000000)")[2]["X-ClickHouse-Exception-Code"] == "241"
    )
    too_many = ask(interface, "SELECT number FROM numbers(100000)", max_result_rows="0")
    assert too_many[2]["X-ClickHouse-Exception-Code"] == "396"
    assert ask(interface, "SELECT 1")[1] == b"1\n"


def test_a_query_whose_client_has_gone_is_stopped(interface: HttpInterface) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", interface.port)
    connection.request("POST", "/", b"SELECT count() FROM numbers(1000000000000)")
    time.sleep(0.2)
    connection.close()
    # One query runs at a time here, so this one comes to its turn only because the other was stopped.
    assert ask(interface, "SELECT 1")[1] == b"1\n"


@pytest.mark.parametrize(
    ("asked", "given"), [("0", "120"), ("1e9", "120"), ("-1", "120"), ("nan", "120"), ("x", "120"), ("7", "7")]
)
def test_a_client_may_ask_for_less_and_never_for_more(asked: str, given: str) -> None:
    names = ("max_execution_time", "max_result_rows", "max_memory_usage", "readonly", "format_schema")
    settings = settings_of(dict.fromkeys(names, asked), LIMITS)
    assert settings["max_execution_time"] == given
    assert int(settings["max_memory_usage"]) <= LIMITS.max_memory_bytes
    assert settings.keys().isdisjoint({"readonly", "format_schema"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:8124"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_in_a_browser_is_refused(interface: HttpInterface, headers: dict[str, str]) -> None:
    assert ask(interface, "SELECT 1", headers=headers)[0] == 403


def test_a_password_is_asked_for_in_every_way(interface: HttpInterface, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(interface, "password", "s3cret")
        assert ask(interface, "SELECT 1")[0] == 403
        assert ask(interface, "SELECT 1", user="default", password="S3cret")[0] == 403
        assert ask(interface, "SELECT 1", password="s3cret")[1] == b"1\n"
        assert ask(interface, "SELECT 1", headers={"X-ClickHouse-Key": "s3cret"})[1] == b"1\n"
        assert ask(interface, "SELECT 1", headers={"Authorization": "Basic ZGVmYXVsdDpzM2NyZXQ="})[1] == b"1\n"
        assert ask(interface, "SELECT 1", headers={"Authorization": "Basic ?"})[0] == 403


def test_large_and_broken_bodies_are_refused(interface: HttpInterface) -> None:
    assert ask(interface, "SELECT 1", headers={"Content-Encoding": "gzip"})[0] >= 400
    assert ask(interface, "SELECT 1", headers={"Content-Encoding": "br"})[0] == 501
    bomb = gzip.compress(b"SELECT 1 -- " + b" " * (LARGEST_BODY + 1), 1)
    assert ask_bytes(interface, bomb, {"Content-Encoding": "gzip"}) == 413
    assert ask(interface, "", headers={"Content-Length": str(1 << 40)})[0] == 413
    assert ask(interface, "", headers={"Content-Length": "x"})[0] == 413
    assert ask(interface, "SELECT 1", decompress="1")[0] == 501


def test_the_command_line_asks_and_records_through_the_holder(interface: HttpInterface) -> None:
    folder = interface.store.address.folder
    assert folder is not None
    assert oct((folder / TOKEN_FILE).stat().st_mode & 0o777) == "0o600"
    found = program(interface, "sql", "SELECT entity_id FROM incidents", "--format", "csv")
    assert (found.returncode, found.stdout) == (0, '"entity_id"\n"acme"\n'), found.stderr
    verdict = ["label", "acme", "--kind", "honest", "--from", "2024-12-01", "--to", "2024-12-02"]
    assert program(interface, *verdict).returncode == 0
    labels = "SELECT account_id, source FROM labels"
    assert interface.store.query_rows(labels) == [("acme", "analyst")]
    interface.store.command("TRUNCATE TABLE labels")


def test_a_table_of_the_streams_is_not_written_by_its_owner_either(interface: HttpInterface) -> None:
    with _through_holder(interface.store.address) as owner:  # type: ignore[union-attr]
        rows = owner.query_arrow("SELECT * FROM incidents")
        with pytest.raises(QueryError, match="only labels, suppressions, incident_triage"):
            owner.insert_arrow("incidents", rows)


def test_without_the_token_nothing_is_written(interface: HttpInterface) -> None:
    url = "INSERT INTO labels FORMAT Arrow"
    for user, password in (("default", ""), ("owner", "guess"), ("owner", "")):
        status, body, _ = ask(interface, "data", query=url, user=user, password=password)
        assert status in (403, 500), body
    for target in ("api_calls", "schema_migrations", "labels SELECT 1", "system.settings"):
        status, body, headers = ask(
            interface, "x", query=f"INSERT INTO {target} FORMAT Arrow", user="owner", password=interface.token
        )
        assert headers["X-ClickHouse-Exception-Code"] in ("164", "62"), body


def test_the_address_and_the_token_are_gone_with_the_interface(tmp_path: Path) -> None:
    # chDB opens one folder in a process, and this one has another open.
    text = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.store.client import connect\n"
        "from pipeline.store.http.server import serve\nfrom pipeline.store.migrate import migrate\n"
        "said = []\n"
        "with connect(sys.argv[1]) as store:\n"
        "    with serve(store, int(sys.argv[2]), say=said.append) as one:\n"
        "        print(one.port != int(sys.argv[2]), 'is taken' in said[0], f':{one.port}' in said[1])\n"
        "folder = Path(sys.argv[1][5:])\n"
        "print(sorted(path.name for path in folder.glob('stillwatch.*')), (folder / 'stillwatch.lock').read_text())\n"
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-c", text, f"chdb:{tmp_path / 'store'}", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.splitlines() == ["True True True", "['stillwatch.lock'] "], done.stderr


def test_a_store_read_through_its_holder_says_so(interface: HttpInterface) -> None:
    folder = interface.store.address.folder
    assert folder is not None
    with _through_holder(interface.store.address) as reader:  # type: ignore[union-attr]
        assert "through its holder at http://127.0.0.1:" in str(reader.address)
        with pytest.raises(QueryError, match="Insert is refused"):
            reader.command("INSERT INTO incidents SELECT * FROM incidents")
