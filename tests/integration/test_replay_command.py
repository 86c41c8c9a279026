"""`stillwatch replay run` and `verify` as they are typed: Parquet, incidents, and what is wrong in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from store_support import HOUR, START, call, incident

from pipeline.command_line.run import run as run_program
from pipeline.event import encode
from pipeline.store.client import connect
from pipeline.store.migrate import migrate
from pipeline.store.records import read_runs
from pipeline.store.rows import api_calls_table, incidents_table
from replay.command_line import build_full_app

DAY = 24 * HOUR
CALLS = [call(index, f"account-{index % 5}", START + index * HOUR, output_tokens=100 + index) for index in range(240)]

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with ten days of calls and an incident on the fifth."""
    folder = tmp_path_factory.mktemp("replay")
    with connect(f"chdb:{folder / 'store'}") as store:
        migrate(store)
        store.insert_arrow("api_calls", api_calls_table(CALLS, received_at=START))
        times = {"opened_at": 96, "detected_at": 97, "last_seen_at": 98}
        one = msgspec.structs.replace(incident(), **{name: START + hours * HOUR for name, hours in times.items()})
        store.insert_arrow("incidents", incidents_table([one], run_id="live"))
    return folder


@pytest.fixture
def program(kept: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_program(build_full_app(), ["replay", *arguments, "--store", f"chdb:{kept / 'store'}"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_parquet_is_read_as_the_same_events_are_as_lines(program: Program, tmp_path: Path) -> None:
    pq.write_table(api_calls_table(CALLS, received_at=START), tmp_path / "calls.parquet")
    (tmp_path / "calls.jsonl").write_bytes(b"".join(encode(one) + b"\n" for one in CALLS))
    (tmp_path / "no.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    found = {}
    for name in ("parquet", "jsonl"):
        code, out, err = program("run", "--run-id", name, "--input", str(tmp_path / f"calls.{name}"), "--json")
        assert code == 0, err
        found[name] = {key: value for key, value in json.loads(out).items() if key not in ("run_id", "seconds")}
    assert found["parquet"] == found["jsonl"]
    assert found["parquet"]["events"] == len(CALLS)
    code, _, err = program("run", "--run-id", "no", "--input", str(tmp_path / "no.parquet"))
    assert (code, err.count("\n")) == (1, 1)
    assert "unreadable_input" in err


def test_the_window_of_an_incident_and_some_accounts(program: Program, tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("account-1\n\naccount-3\n")
    options = ("--incident", "incident-acme", "--margin", "1d", "--accounts", f"@{names}", "--json")
    code, out, err = program("run", "--run-id", "incident", *options)
    assert code == 0, err
    inside = [one for one in CALLS if 3 * DAY <= one.ts - START < 5 * DAY + 2 * HOUR]
    chosen = [one for one in inside if one.account_id in ("account-1", "account-3")]
    assert json.loads(out)["events"] == len(chosen)
    assert json.loads(out)["accounts"] == 2


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--from", "2024-12-05", "--to", "2024-12-05"), 2, "the window is empty"),
        (("--from", "2025-06-01"), 1, "has no events in the window"),
        (("--from", "2024-11-01"), 1, "api_calls keeps events from 2024-12-01T00:00:00Z to 2024-12-10T23:00:00Z"),
        (("--from", "2024-12-03", "--warm-up", "14d"), 1, "or give --allow-partial"),
        (("--from", "2024-12-03", "--warm-up", "soon"), 2, "is not a length of time"),
        (("--warm-up", "14d"), 2, "need a start"),
        (("--from", "2024-12-03", "--from-snapshot"), 1, "has kept no state of campaigns as of 2024-12-03T00:00:00Z"),
        (("--incident", "none"), 2, "there is no incident none"),
        (("--campaign", "none"), 1, "there is no campaign none"),
        (("--accounts", " , "), 2, "names no account"),
        (("--processes", "0"), 2, "at least 1"),
        (("--set", "engine.incident.open_at=soon"), 2, "open_at"),
        (("--resume",), 1, "there is no run bad to resume"),
        (("--resume", "--from", "2024-12-03"), 2, "goes on as it was told"),
    ],
)
def test_what_is_wrong_is_one_line_and_no_run_is_done(
    program: Program, kept: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    found, _, err = program("run", "--run-id", "bad", *options)
    assert (found, err.count("\n")) == (code, 1), err
    assert said in err
    with connect(f"chdb:{kept / 'store'}") as store:
        assert [run.status for run in read_runs(store) if run.run_id == "bad"] in ([], ["failed"])
        store.command("DELETE FROM replay_runs WHERE run_id = 'bad'")


def test_a_part_of_the_window_will_do_when_it_is_said(program: Program) -> None:
    code, out, err = program("run", "--run-id", "part", "--from", "2024-11-01", "--allow-partial", "--json")
    assert code == 0, err
    assert json.loads(out)["events"] == len(CALLS)
    code, _, err = program("run", "--run-id", "part")
    assert (code, err) == (
        1,
        "stillwatch: run part exists: choose another --run-id, or give --overwrite to replace it\n",
    )


def test_verify_needs_the_stream(program: Program) -> None:
    code, _, err = program("verify")
    assert (code, err.count("\n")) == (1, 1)
    assert "no state of the stream" in err
