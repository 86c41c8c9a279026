"""The commands of analysts and operators, called as the program calls them."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from clickhouse_fixture import ClickHouseServer
from store_support import Run, call, insert_calls, write_verdicts

from pipeline.store.client import connect
from pipeline.store.errors import SchemaError
from pipeline.store.migrate import known_migrations, pending_migrations
from pipeline.store.records import read_labels

HOSTILE = "[bold]<script>'\x1b[2J\u202e" + "x" * 200


@pytest.fixture
def filled(stillwatch: Run) -> Run:
    """The same with verdicts in the store."""
    assert stillwatch("migrate")[0] == 0
    with connect("chdb:.stillwatch/store") as store:
        write_verdicts(store, "live", hostile=HOSTILE)
        insert_calls(store, [call(index, output_tokens=5) for index in range(10)], list(range(10)))
    return stillwatch


def test_migrate_says_what_it_applied(stillwatch: Run) -> None:
    assert stillwatch("migrate")[1].startswith("chdb:.stillwatch/store: applied 0001_events, ")
    assert "nothing to apply" in stillwatch("migrate")[1]
    assert json.loads(stillwatch("migrate", "--json")[1])["applied"] == []


@pytest.mark.parametrize(
    "command", ["top", "incidents", "campaigns", "explain acme", "sql SHOW_TABLES", "label a --kind b"]
)
def test_before_migrating_one_line_says_what_to_do(stillwatch: Run, command: str) -> None:
    code, out, err = stillwatch(*(word.replace("_", " ") for word in command.split()))
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "run `stillwatch migrate`" in err


def test_top_and_explain(filled: Run) -> None:
    code, out, _ = filled("top")
    assert code == 0
    assert out.index("acme") < out.index("[bold]<script>")
    assert "\x1b" not in out
    assert "\u202e" not in out
    found = json.loads(filled("top", "--json")[1])
    assert [item["account_id"] for item in found] == ["acme", HOSTILE]
    code, out, _ = filled("explain", "acme")
    assert code == 0
    for piece in (
        "since 2024-12-01 00:00:00",
        "2,000 output tokens",
        "hour_volume:log_output_tokens",
        "12.5",
        "4.25",
        "75%",
    ):
        assert piece in out
    assert json.loads(filled("explain", "acme", "--json")[1])["incidents"][0]["severity"] == "high"
    assert filled("explain", HOSTILE)[0] == 0
    code, out, err = filled("explain", "nobody\x1b[2J")
    assert (code, out) == (1, "")
    assert "nobody\\x1b[2J is not in run live" in err
    assert filled("explain", "acme", "--run-id", "r9")[0] == 1


def test_lists(filled: Run) -> None:
    assert "acme draws far more" in filled("incidents")[1]
    assert len(json.loads(filled("incidents", "--json", "--status", "open")[1])) == 1
    assert filled("incidents", "--status", "closed")[1] == "run live: no incidents\n"
    assert filled("incidents", "--status", "half")[0] == 2
    assert filled("campaigns")[1] == "run live: no campaigns\n"
    assert json.loads(filled("campaigns", "--json")[1]) == []
    assert filled("top", "--limit", "0")[0] == 2


def test_label(filled: Run) -> None:
    code, out, _ = filled("label", "acme", "--kind", "heavy", "--note", "seen it")
    assert (code, out) == (0, "acme labelled heavy from 2024-12-01T00:00:00.000Z to 2024-12-01T00:00:19.000Z\n")
    assert (
        filled("label", HOSTILE, "--kind", "pool", "--from", "2024-12-01", "--to", "2024-12-02T00:00:00+02:00")[0] == 0
    )
    with connect("chdb:.stillwatch/store") as store:
        assert [(found.kind, found.note) for found in read_labels(store, "analyst") if found.account_id == "acme"] == [
            ("heavy", "seen it")
        ]
    assert "seen it" in filled("explain", "acme")[1]
    assert "give --from and --to" in filled("label", "nobody", "--kind", "pool")[2]
    for wrong in (
        ["--kind", "a b"],
        ["--kind", "a", "--from", "yesterday"],
        ["--kind", "a", "--from", "2025", "--to", "x"],
    ):
        assert filled("label", "acme", *wrong)[0] == 2
    assert filled("label", "acme", "--kind", "a", "--from", "2024-12-02", "--to", "2024-12-01")[0] == 2


def test_sql_formats(filled: Run) -> None:
    query = "SELECT account_id, sum(calls) AS calls FROM account_daily_usage GROUP BY account_id"
    assert filled("sql", query, "--format", "JSONEachRow")[1] == '{"account_id":"acme","calls":10}\n'
    assert filled("sql", query, "--json")[1] == '{"account_id":"acme","calls":10}\n'
    assert filled("sql", query, "--format", "CSV")[1] == '"acme",10\n'
    assert list(csv.DictReader(io.StringIO(filled("sql", query, "--format", "csv")[1]))) == [
        {"account_id": "acme", "calls": "10"}
    ]
    assert filled("sql", query, "--format", "tsv")[1] == "account_id\tcalls\nacme\t10\n"
    assert filled("sql", query + " FORMAT Vertical")[1].startswith("Row 1:")
    assert "acme" in filled("sql", query, "--format", "Pretty")[1]
    code, out, err = filled("sql", query + ";")
    assert (code, err) == (0, "1 row\n")
    assert "│ acme" in out
    assert (
        filled("sql", "SELECT account_id FROM call_scores WHERE account_id != 'acme' LIMIT 1")[1].isprintable() is False
    )
    assert "\x1b" not in filled("sql", "SELECT account_id FROM call_scores")[1]


def test_sql_from_standard_input(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("-- how many?\nSELECT count() FROM incidents;\n"))
    assert filled("sql", "-", "--format", "CSV")[1] == "1\n"
    assert filled("sql", "-- a comment\nSELECT 2", "--format", "CSV")[1] == "2\n"


def test_reading_makes_no_store(stillwatch: Run) -> None:
    code, _, err = stillwatch("sql", "SELECT 1", "--store", "chdb:mistyped")
    assert code == 1
    assert "there is no store in mistyped" in err
    assert not Path("mistyped").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["INSERT INTO labels (account_id) VALUES ('x')"], 1, "readonly mode"),
        (["DROP TABLE api_calls"], 1, "readonly mode"),
        (["SELECT 1; SELECT 2"], 2, "one query at a time, this is 2"),
        ([""], 2, "the query is empty"),
        (["SELECT 1", "--format", "a;b"], 2, "is no format"),
        (["SELECT 1", "--format", "NoSuchFormat"], 1, "NoSuchFormat"),
        (["SELECT number FROM numbers(100)", "--max-rows", "10"], 1, "more than 10 rows: add a LIMIT"),
        (["SELECT sleep(3)", "--max-seconds", "0.5"], 1, "longer than 0.5 s"),
        (["SELECT * FROM nowhere"], 1, "nowhere"),
        (["SELECT 1", "--max-rows", "-1"], 2, "or more"),
        (["--frmt"], 2, "--frmt"),
    ],
)
def test_sql_that_is_refused(filled: Run, arguments: list[str], code: int, says: str) -> None:
    found, out, err = filled("sql", *arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_held_folder_is_one_line(filled: Run) -> None:
    hold = "import sys; from pipeline.store.client import connect; connect(sys.argv[1]); print(1, flush=True); input()"
    command = [sys.executable, "-c", hold, "chdb:.stillwatch/store"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            for arguments in (["top"], ["sql", "SELECT 1"], ["migrate"]):
                code, out, err = filled(*arguments)
                assert (code, out, err.count("\n")) == (1, "", 1)
                assert f"held by process {process.pid}" in err
            assert f"held by process {process.pid}" in filled("doctor")[1]
        finally:
            process.kill()


def test_doctor(stillwatch: Run) -> None:
    code, out, _ = stillwatch("doctor")
    assert code == 1
    assert "there is no store in .stillwatch/store; to mend: run `stillwatch migrate`" in out
    with connect("chdb:.stillwatch/store"):
        pass
    out = stillwatch("doctor")[1]
    names = [f"{migration.version:04}_{migration.name}" for migration in known_migrations()]
    assert f"not applied: {', '.join(names)}; to mend: run `stillwatch migrate`" in out
    stillwatch("migrate")
    code, out, _ = stillwatch("doctor", "--json", "--set", "stream.web_port=0")
    checks = {check["check"]: check["state"] for check in json.loads(out)["checks"]}
    assert code == 0
    assert (checks["store"], checks["schema"], checks["broker"]) == ("ok", "ok", "note")
    assert (checks["checkpoints"], checks["gaps"]) == ("note", "ok")
    code, out, _ = stillwatch("doctor", "--store", "clickhouse://ann@127.0.0.1:9/x", "--broker", "kafka://127.0.0.1:9")
    assert code == 1
    assert "does not answer (Connection refused); to mend: start ClickHouse or mend --store" in out
    assert "kafka://127.0.0.1:9 does not answer" in out


def test_roles_and_clusters_are_for_servers(stillwatch: Run) -> None:
    code, _, err = stillwatch("migrate", "--roles")
    assert (code, "has no users: --roles is for a ClickHouse server" in err) == (1, True)
    code, _, err = stillwatch("migrate", "--set", "store.cluster=east")
    assert (code, "is no cluster" in err) == (1, True)
    assert stillwatch("migrate", "--set", "store.cluster=a'b")[0] == 2


def test_the_same_over_http(
    stillwatch: Run, clickhouse_server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in clickhouse_server.environ.items():
        monkeypatch.setenv(name, value)
    address = clickhouse_server.address("commands")
    assert stillwatch("migrate", "--store", address)[0] == 0
    with connect(address) as store:
        write_verdicts(store, "live")
    assert json.loads(stillwatch("top", "--json", "--store", address)[1])[0]["account_id"] == "acme"
    assert stillwatch("sql", "SELECT count() FROM incidents", "--format", "CSV", "--store", address)[1] == "1\n"
    assert stillwatch("sql", "DROP TABLE incidents", "--store", address)[0] == 1


def test_an_older_program_can_have_the_store_back_and_a_newer_one_after_it(filled: Run) -> None:
    older = known_migrations()[:3]
    with connect("chdb:.stillwatch/store") as store, pytest.raises(SchemaError, match="install the newer Stillwatch"):
        pending_migrations(store, older)
    code, out, _ = filled("migrate", "--back-to", "3")
    assert (code, out.count("\n")) == (0, 1)
    with connect("chdb:.stillwatch/store") as store:
        assert pending_migrations(store, older) == []
        events = store.query_rows("SELECT count() FROM api_calls")
    names = [f"{migration.version:04}_{migration.name}" for migration in known_migrations()[3:]]
    assert f"applied {', '.join(names)}" in filled("migrate")[1]
    with connect("chdb:.stillwatch/store") as store:
        assert store.query_rows("SELECT count() FROM api_calls") == events
        assert store.query_rows("SELECT count() FROM offset_gaps") == [(0,)]
