"""A replay whose process is killed midway goes on, by command, to the rows of one that was left alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from pipeline.command_line.run import run as run_program
from pipeline.event import encode
from pipeline.settings import Settings, StreamSettings
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from replay.beginning import Beginning
from replay.command_line import build_full_app
from replay.ledger import Ledger
from replay.plan import FileOptions, InputFile, Plan, open_source
from replay.run import Manner, claim, replay
from replay.scenarios import generate
from replay.shard import Outcome
from replay.source import Intake

PARTITIONS = 2
SETTINGS = Settings(stream=StreamSettings(partitions=PARTITIONS, checkpoint_s=0.01))
TABLES = ("call_scores", "account_windows", "incidents", "suppressed_incidents", "campaigns", "campaign_members")
PIECE = 1_000


def start(store: Store, folder: Path, run_id: str, manner: Manner) -> None:
    file = folder / "events.jsonl"
    files = FileOptions(files=(InputFile(str(file), file.stat().st_size),), received_at=1_800_000_000_000)
    plan = Plan(settings=SETTINGS, source="files", files=files)
    intake = Intake()
    source = open_source(plan, store, Beginning(), intake, list)
    run = claim(store, run_id, "files", plan.window, SETTINGS.engine, overwrite=False, plan=plan.text())
    replay(source, intake, store=store, settings=SETTINGS, run=run, manner=manner)


def doomed(folder: Path) -> None:
    """Replay until a checkpoint is there and rows after it; then be killed."""
    commit, tell = Ledger.commit, Ledger.tell
    committed = False

    def committing(ledger: Ledger) -> None:
        nonlocal committed
        commit(ledger)
        committed = True

    def telling(ledger: Ledger, outcome: Outcome) -> None:
        tell(ledger, outcome)
        if committed and outcome.rows:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch, connect(f"chdb:{folder / 'store'}") as store:
        patch.setattr("replay.source._PIECE", PIECE)
        patch.setattr("replay.drive.HEAD_EVENTS", 2 * PIECE)
        patch.setattr(Ledger, "commit", committing)
        patch.setattr(Ledger, "tell", telling)
        migrate(store)
        start(store, folder, "killed", Manner(processes=2, batch_events=1_000))


def resume(folder: Path, run_id: str) -> list[str]:
    """The arguments that go on with a run."""
    place = ["--processes", "1", "--store", f"chdb:{folder / 'store'}"]
    return ["replay", "run", "--resume", "--run-id", run_id, "--json", *place]


def rows(store: Store, table: str, run_id: str) -> list[str]:
    sql = f"SELECT toString(tuple(* EXCEPT run_id)) AS r FROM {table} FINAL WHERE run_id = {{r:String}} ORDER BY r"
    return [row[0] for row in store.query_rows(sql, {"r": run_id})]


def test_a_killed_replay_is_resumed_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = generate("late-2024", accounts=100, days=3, seed=8).calls()
    (tmp_path / "events.jsonl").write_bytes(b"".join(encode(call) + b"\n" for call in calls))
    process = multiprocessing.get_context("spawn").Process(target=doomed, args=(tmp_path,))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    # In this process: starting one costs more than what the commands do.
    program = build_full_app()
    code = run_program(program, resume(tmp_path, "killed"))
    done = capsys.readouterr()
    assert code == 0, done.err
    assert run_program(program, resume(tmp_path, "killed")) == 1
    assert capsys.readouterr().err == "stillwatch: run killed is done; there is nothing to resume\n"
    assert run_program(program, resume(tmp_path, "nobody")) == 1
    assert "there is no run nobody" in capsys.readouterr().err
    with connect(f"chdb:{tmp_path / 'store'}") as store:
        start(store, tmp_path, "alone", Manner(processes=1))
        for table in TABLES:
            assert rows(store, table, "killed") == rows(store, table, "alone"), table
        assert len(rows(store, "call_scores", "alone")) == json.loads(done.out)["events"]
