"""Replays over a real store: from files and from the table, by name, window and attempt."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.event import ApiCall, EventLimits, encode
from pipeline.settings import Settings
from pipeline.sources import SourceOptions
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.store.records import read_runs
from pipeline.store.rows import api_calls_table
from replay.chunk import Calls, Chunk
from replay.compare import load_and_compare
from replay.errors import ReplayError
from replay.evaluate import load_and_evaluate
from replay.run import RunReport, claim, replay
from replay.scenarios import generate
from replay.source import Intake, from_files, from_store
from replay.window import Window, window_of

SETTINGS = Settings()
PARTITIONS = SETTINGS.stream.partitions
RECEIVED_AT = 1_767_225_600_000
DAY = 86_400_000


@pytest.fixture(scope="module")
def calls() -> list[ApiCall]:
    return list(generate("late-2024", accounts=30, days=6, seed=5).calls())


@pytest.fixture(scope="module")
def file(calls: list[ApiCall], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "events.jsonl"
    path.write_bytes(b"".join(encode(call) + b"\n" for call in calls))
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('store') / 'store'}") as opened:
        migrate(opened)
        yield opened


def run_file(
    store: Store, path: Path, run_id: str, *, window: Window | None = None, overwrite: bool = False
) -> RunReport:
    window = window or Window()
    intake = Intake()
    pieces = from_files(
        [str(path)],
        format_name="auto",
        options=SourceOptions(received_at=RECEIVED_AT, limits=EventLimits()),
        partitions=PARTITIONS,
        window=window,
        intake=intake,
    )
    run = claim(store, run_id, "files", window, SETTINGS.engine, overwrite=overwrite)
    return replay(pieces, intake, store=store, settings=SETTINGS, run=run)


def rows(store: Store, table: str, run_id: str) -> Counter[str]:
    """The rows of a run as a bag, without the run's name."""
    sql = f"SELECT toString(tuple(* EXCEPT run_id)) FROM {table} FINAL WHERE run_id = {{run_id:String}}"
    return Counter(row[0] for row in store.query_rows(sql, {"run_id": run_id}))


def test_a_file_is_scored_whole_and_the_run_is_recorded(store: Store, file: Path, calls: list[ApiCall]) -> None:
    report = run_file(store, file, "whole")
    assert (report.events, report.duplicates, report.rejected) == (len(calls), 0, {})
    assert rows(store, "call_scores", "whole").total() == len(calls)
    assert rows(store, "account_windows", "whole").total() == report.windows
    (run,) = [run for run in read_runs(store) if run.run_id == "whole"]
    assert (run.status, run.source) == ("done", "files")
    assert json.loads(run.metrics)["events"] == len(calls)
    assert json.loads(run.config)["detectors"]


def test_a_replay_from_the_table_gives_the_rows_of_one_from_the_file(
    store: Store, file: Path, calls: list[ApiCall]
) -> None:
    run_file(store, file, "from-file")
    placed: dict[int, list[ApiCall]] = {}
    intake = Intake()
    options = SourceOptions(received_at=RECEIVED_AT, limits=EventLimits())
    pieces = from_files(
        [str(file)], format_name="auto", options=options, partitions=PARTITIONS, window=Window(), intake=intake
    )
    for chunk in pieces:
        assert isinstance(chunk, Calls)
        placed.setdefault(chunk.partition, []).extend(chunk.calls)
    for partition, events in placed.items():
        table = api_calls_table(
            events, received_at=RECEIVED_AT, topic="t", partition=partition, offsets=list(range(len(events)))
        )
        store.insert_arrow("api_calls", table)
    intake = Intake()
    run = claim(store, "from-table", "clickhouse", Window(), SETTINGS.engine, overwrite=False)
    stored = from_store(store, partitions=PARTITIONS, window=Window(), intake=intake)
    assert replay(stored, intake, store=store, settings=SETTINGS, run=run).events == len(calls)
    for table in ("call_scores", "account_windows", "incidents"):
        assert rows(store, table, "from-table") == rows(store, table, "from-file"), table
    compared = load_and_compare(store, "from-file", "from-table")
    assert (compared.call_scores.changed, compared.account_windows.changed) == (0, 0)
    assert (compared.gained, compared.lost) == ((), ())


def test_a_window_takes_its_events_only(store: Store, file: Path, calls: list[ApiCall]) -> None:
    window = window_of("2024-12-02", "2024-12-04")
    report = run_file(store, file, "window", window=window)
    inside = sum(call.ts in window for call in calls)
    assert 0 < inside < len(calls)
    assert (report.events, report.outside) == (inside, len(calls) - inside)


def test_a_name_in_use_is_refused_or_replaced_row_for_row(store: Store, file: Path) -> None:
    run_file(store, file, "twice")
    before = {table: rows(store, table, "twice") for table in ("call_scores", "account_windows")}
    with pytest.raises(ReplayError, match="exists"):
        run_file(store, file, "twice")
    run_file(store, file, "twice", overwrite=True)
    assert {table: rows(store, table, "twice") for table in before} == before


@pytest.mark.parametrize("run_id", ["live", "", "a\nb", "x" * 129])
def test_names_that_cannot_be(store: Store, run_id: str) -> None:
    with pytest.raises(ReplayError, match="run-id"):
        claim(store, run_id, "files", Window(), SETTINGS.engine, overwrite=True)


def test_what_cannot_be_used_is_counted_and_kept(store: Store, file: Path, tmp_path: Path) -> None:
    lines = file.read_bytes().splitlines()[:50]
    bad = [b'{"event_id": "x"', b'{"event_id": "x", "ts": "soon", "account_id": "a"}']
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(b"\n".join([*lines[:20], bad[0], *lines[20:], bad[1], lines[0]]) + b"\n")
    report = run_file(store, path, "mixed")
    assert report.rejected == {"malformed_json": 1, "time_invalid": 1}
    assert (report.events, report.duplicates) == (50, 1)
    kept = store.query_rows("SELECT raw FROM rejected_events WHERE startsWith(source, {p:String})", {"p": str(path)})
    assert sorted(bytes(row[0]) if isinstance(row[0], bytes) else row[0].encode() for row in kept) == sorted(bad)


def test_an_empty_window_fails_and_says_so(store: Store, file: Path) -> None:
    with pytest.raises(ReplayError, match="widen --from and --to"):
        run_file(store, file, "nothing", window=window_of("2020-01-01", "2020-01-02"))
    (run,) = [run for run in read_runs(store) if run.run_id == "nothing"]
    assert run.status == "failed"


def test_a_source_that_breaks_leaves_a_failed_run(store: Store, calls: list[ApiCall]) -> None:
    def breaking() -> Iterator[Chunk]:
        yield Calls(0, [0], [calls[0]])
        raise OSError("the disk has gone")

    run = claim(store, "broken", "files", Window(), SETTINGS.engine, overwrite=False)
    with pytest.raises(OSError, match="the disk has gone"):
        replay(breaking(), Intake(), store=store, settings=SETTINGS, run=run)
    (row,) = [run for run in read_runs(store) if run.run_id == "broken"]
    assert row.status == "failed"


def test_an_interrupted_run_says_so(store: Store, calls: list[ApiCall]) -> None:
    def stopped() -> Iterator[Chunk]:
        yield Calls(0, [0], [calls[0]])
        raise KeyboardInterrupt

    run = claim(store, "stopped", "files", Window(), SETTINGS.engine, overwrite=False)
    with pytest.raises(KeyboardInterrupt):
        replay(stopped(), Intake(), store=store, settings=SETTINGS, run=run)
    (row,) = [run for run in read_runs(store) if run.run_id == "stopped"]
    assert row.status == "interrupted"


def test_evaluation_of_a_stored_run(store: Store, file: Path) -> None:
    run_file(store, file, "judged")
    labels = generate("late-2024", accounts=30, days=6, seed=5).labels
    found = load_and_evaluate(store, "judged", labels)
    assert found.kinds[-1].labels + found.labels_not_seen == len(labels)
    assert found.account_days > 30
    assert found.days == 6
    of_calls, *of_windows = found.calibration
    assert (of_calls.what, [one.what for one in of_windows]) == (
        "calls",
        [f"windows of {seconds} s" for seconds in (60, 600, 3600, 86_400)],
    )
    assert 0.02 < of_calls.above_9 < 0.2
    assert found.curve is not None
    assert found.curve.extracting == found.kinds[-1].labels
    called = store.query_rows("SELECT uniq(account_id) FROM call_scores WHERE run_id = 'judged'")[0][0]
    assert found.curve.others == called - found.curve.extracting
    with pytest.raises(ReplayError, match="no closed windows"):
        load_and_evaluate(store, "no-such-run", labels)


def test_other_settings_give_another_run(store: Store, file: Path) -> None:
    run_file(store, file, "one")
    intake = Intake()
    options = SourceOptions(received_at=RECEIVED_AT, limits=EventLimits())
    pieces = from_files(
        [str(file)], format_name="auto", options=options, partitions=PARTITIONS, window=Window(), intake=intake
    )
    engine = msgspec.structs.replace(SETTINGS.engine, calibration_scores=100)
    changed = msgspec.structs.replace(SETTINGS, engine=engine)
    run = claim(store, "other", "files", Window(), engine, overwrite=False)
    replay(pieces, intake, store=store, settings=changed, run=run)
    assert load_and_compare(store, "one", "other").call_scores.changed > 0
