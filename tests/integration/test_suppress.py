"""Suppressions and verdicts from the command line to replays, on the embedded store."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from store_support import START, incident

from pipeline.command_line.run import run
from pipeline.event import encode
from pipeline.incidents.suppression import Suppression
from pipeline.settings import IncidentSettings
from pipeline.store.client import Store, connect
from pipeline.store.records import Label, write_labels
from pipeline.store.rows import incidents_table, suppressed_incidents_table
from pipeline.store.suppressions import read_suppressions, write_suppressions
from pipeline.stream.feedback import SHIFT_EVERY_S, FeedbackReader
from replay.command_line import build_full_app
from tests.unit.test_engine import traffic

Run = Callable[..., tuple[int, str, str]]
SPAN = ("--from", "2024-12-01", "--until", "2025-01-01")
STORE = "chdb:.stillwatch/store"


@pytest.fixture
def stillwatch(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a migrated store in `tmp_path`; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(build_full_app(), arguments)
        sys.stdout.flush()
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    assert command("migrate")[0] == 0
    return command


@pytest.fixture
def replayed(stillwatch: Run) -> Callable[..., list[dict[str, Any]]]:
    """Replay twelve days in which account-0 draws ever more, with options; the run's incidents, or what was suppressed."""
    events = traffic(11, 6000, accounts=30, days=12)
    Path("events.jsonl").write_bytes(b"".join(encode(call) + b"\n" for call in events))

    def replay(run_id: str, *options: str, status: str = "") -> list[dict[str, Any]]:
        arguments = ("--input", "events.jsonl", "--set", "stream.partitions=1", *options, "--overwrite", "--json")
        code, _, err = stillwatch("replay", "run", "--run-id", run_id, *arguments)
        assert code == 0, err
        return listed(stillwatch, run_id, status)

    return replay


def listed(stillwatch: Run, run_id: str, status: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        stillwatch("incidents", "--run-id", run_id, "--json", *(("--status", status) if status else ()))[1]
    )
    return found


def test_suppress_list_and_lift(stillwatch: Run) -> None:
    assert stillwatch("suppress", "--list")[1] == "nothing is suppressed\n"
    code, out, _ = stillwatch(
        "suppress", "acct-*", *SPAN, "--kind", "volume", "--above", "6", "--note", "load\x1b test"
    )
    assert code == 0
    assert "acct-*, volume: suppressed from 2024-12-01T00:00:00.000Z to 2025-01-01T00:00:00.000Z below 6 nats" in out
    assert stillwatch("suppress", "b", "--until", "2100-01-01")[0] == 0
    first, second = json.loads(stillwatch("suppress", "--list", "--json")[1])
    assert (first["account"], first["kinds"], first["above"], first["by"]) == ("b", [], 7.0, "suppress")
    assert first["since"].endswith(":00:00.000Z")
    assert (second["account"], second["kinds"]) == ("acct-*", ["volume"])
    code, out, _ = stillwatch("suppress", "--list")
    assert "acct-*" in out
    assert "\x1b" not in out
    # Recorded again with another end, it is the same one.
    stillwatch("suppress", "acct-*", "--from", "2024-12-01", "--until", "2024-12-20", "--kind", "volume")
    assert len(json.loads(stillwatch("suppress", "--list", "--json")[1])) == 2
    code, _, err = stillwatch("suppress", "acct-*", "--lift")
    assert code == 1
    assert "give an earlier --until" in err
    assert "lifted from 2024-12-10" in stillwatch("suppress", "acct-*", "--lift", "--until", "2024-12-10")[1]
    assert stillwatch("suppress", "b", "--lift")[0] == 0
    (left,) = json.loads(stillwatch("suppress", "--list", "--json")[1])
    assert (left["account"], left["until"]) == ("acct-*", "2024-12-10T00:00:00.000Z")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a"], "give --until"),
        ([], "name an account"),
        (["", "--until", "2100-01-01"], "1 to 1024 characters"),
        (["a", "--until", "soon"], "is not a time"),
        (["a", "--until", "2024-01-01"], "is not after --from"),
        (["a", "--until", "2100-01-01", "--kind", "loud"], "is none of volume"),
        (["a", "--until", "2100-01-01", "--above", "0"], "above 0"),
        (["a", "--until", "2100-01-01", "--above", "inf"], "above 0"),
        (["a", "--until", "2100-01-01", "--note", "x" * 2001], "the limit is 2000"),
        (["a", "--list"], "takes no account"),
        (["a", "--lift", "--from", "2024-01-01"], "takes no --from"),
    ],
)
def test_wrong_use_is_one_line(stillwatch: Run, arguments: list[str], says: str) -> None:
    code, out, err = stillwatch("suppress", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_replay_heeds_what_is_suppressed_and_shows_it(stillwatch: Run, replayed: Callable[..., Any]) -> None:
    (plain,) = replayed("plain")
    assert plain["entity_id"] == "account-0"
    stillwatch("suppress", "account-0", *SPAN, "--above", "7", "--note", "load test")
    (bounded,) = replayed("bounded")
    # It is the same incident, and opens when it has become far worse.
    assert bounded["incident_id"] == plain["incident_id"]
    assert bounded["opened_at"] == plain["opened_at"]
    assert bounded["detected_at"] > plain["detected_at"]
    (kept,) = listed(stillwatch, "bounded", "suppressed")
    assert kept["suppressed_by"] == "account-0 (load test)"
    assert kept["suppressed_hours"] > 5
    assert kept["detected_at"] == plain["detected_at"]
    assert kept["closed_at"] == bounded["detected_at"]
    stillwatch("suppress", "account-*", *SPAN, "--above", "50")
    assert replayed("all") == []
    assert listed(stillwatch, "all", "suppressed")[0]["peak_score"] == plain["peak_score"]
    assert "suppressed by account-*" in stillwatch("explain", "account-0", "--run-id", "all")[1]
    assert replayed("without", "--no-suppressions") == [plain]
    stillwatch("suppress", "account-*", "--lift", "--until", "2024-12-10T12:00:00Z")
    stillwatch("suppress", "account-0", "--lift", "--until", "2024-12-10T12:00:00Z")
    (lifted,) = replayed("lifted")
    # The first hour that begins at the end of both or later, closed by the event after its lateness.
    assert lifted["detected_at"].startswith("2024-12-10T13:0")
    with connect(STORE) as store:
        (config,) = store.query_rows("SELECT config FROM replay_runs FINAL WHERE run_id = 'bounded'")
        counted = store.query_rows("SELECT metrics FROM replay_runs FINAL WHERE run_id = 'all'")
    assert json.loads(config[0])["incident"]["suppressions"][0]["note"] == "load test"
    assert json.loads(counted[0][0])["suppressed"] == 1


def test_an_honest_account_is_left_alone_until_it_shows_far_more(stillwatch: Run, replayed: Callable[..., Any]) -> None:
    # The analyst sees the first days only.
    (early,) = replayed("live-days", "--to", "2024-12-10T12:00:00Z")
    assert stillwatch("label", "account-0", "--kind", "honest", "--note", "a new product")[0] == 0
    (allowed,) = json.loads(stillwatch("suppress", "--list", "--json")[1])
    assert (allowed["account"], allowed["by"], allowed["note"]) == ("account-0", "label", "labelled honest")
    (late,) = replayed("heeding", "--verdicts")
    assert late["detected_at"] > "2024-12-12" > early["detected_at"]
    assert -math.log(1 - late["peak_score"]) >= allowed["above"] > -math.log(1 - early["peak_score"]) + 1.4
    (kept,) = listed(stillwatch, "heeding", "suppressed")
    assert kept["suppressed_by"] == "account-0 (labelled honest)"
    assert replayed("unheeding")[0]["detected_at"] == early["detected_at"]
    stillwatch("label", "account-0", "--kind", "heavy")
    assert json.loads(stillwatch("suppress", "--list", "--json")[1]) == []
    assert replayed("heeding-again", "--verdicts")[0]["detected_at"] == early["detected_at"]


def test_labels_of_scenarios_leave_nobody_alone(store: Store) -> None:
    write_labels(store, [Label(account_id="a", start=0, end=1, kind="honest", source="late-2024")])
    reader = FeedbackReader(IncidentSettings(), store, "live")
    assert reader.read().suppressions == ()
    write_labels(store, [Label(account_id="a", start=0, end=1, kind="honest", evidence=2.0)])
    (one,) = reader.read().suppressions
    assert (one.account, one.above) == ("a", 3.5)


def test_the_stream_reads_suppressions_and_moves_the_threshold_by_verdicts(store: Store) -> None:
    clock = [0.0]
    reader = FeedbackReader(IncidentSettings(), store, "live", lambda: clock[0])
    assert reader.read().shift == 0
    listed = [Suppression(account="x-*", since=5, until=9, kinds=("errors", "volume"), above=4.5, note="n")]
    write_suppressions(store, listed)
    assert read_suppressions(store) == listed
    assert reader.read().suppressions == tuple(listed)
    accounts = [f"acct-{number}" for number in range(12)]
    store.insert_arrow("incidents", incidents_table([incident(account=name) for name in accounts[:8]], run_id="live"))
    store.insert_arrow(
        "suppressed_incidents", suppressed_incidents_table([incident(account=accounts[8])], run_id="live")
    )
    store.command(
        "INSERT INTO call_scores (run_id, account_id, ts, event_id, score) "
        "SELECT 'live', 'acct-0', fromUnixTimestamp64Milli(1733011200000), toString(number), 0.5 FROM numbers(5)"
    )
    span = {"start": START, "end": START + 86_400_000}
    write_labels(store, [Label(account_id=name, kind="honest", **span) for name in accounts[:4]])
    raised = reader.read().shift
    assert raised == pytest.approx(0.25 * 1.6, abs=0.05)
    # Extraction without an incident lowers it; what was suppressed was not missed.
    write_labels(store, [Label(account_id=name, kind="heavy", **span) for name in accounts[8:]])
    assert 0 < reader.read().shift < raised
    store.command("TRUNCATE TABLE incidents")
    assert reader.read().shift > 0
    clock[0] += SHIFT_EVERY_S
    assert reader.read().shift < 0
