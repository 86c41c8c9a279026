"""Replays over several processes, interrupted and gone on with, give the rows of one process that was left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.event import ApiCall, EventLimits, encode, partition_of
from pipeline.settings import Settings, StreamSettings
from pipeline.sources import SourceOptions
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.store.records import read_runs
from pipeline.store.rows import api_calls_table
from replay.beginning import resumed
from replay.plan import Plan
from replay.run import Manner, RunReport, claim, replay
from replay.scenarios import generate
from replay.source import Intake, from_files, from_store
from replay.window import Window

PARTITIONS = 4
SETTINGS = Settings(stream=StreamSettings(partitions=PARTITIONS, checkpoint_s=0.5))
TABLES = ("call_scores", "account_windows", "account_daily_scores", "incidents", "campaigns", "campaign_members")
NOW = 1_800_000_000_000


@pytest.fixture(scope="module")
def calls() -> list[ApiCall]:
    # Enough for several batches of each partition, and a campaign.
    return list(generate("late-2024", accounts=150, days=4, seed=8).calls())


@pytest.fixture(scope="module")
def file(calls: list[ApiCall], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "events.jsonl"
    path.write_bytes(b"".join(encode(call) + b"\n" for call in calls))
    return path


@pytest.fixture(scope="module")
def store(calls: list[ApiCall], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('store') / 'store'}") as opened:
        migrate(opened)
        placed: dict[int, list[ApiCall]] = {}
        for call in calls:
            placed.setdefault(partition_of(call.account_id, PARTITIONS), []).append(call)
        for partition, events in placed.items():
            rows = api_calls_table(
                events, received_at=NOW, topic="t", partition=partition, offsets=list(range(len(events)))
            )
            opened.insert_arrow("api_calls", rows)
        yield opened


@pytest.fixture(scope="module", autouse=True)
def small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("replay.source._PIECE", 500)
        yield


def run(
    store: Store,
    run_id: str,
    *,
    path: Path | None = None,
    processes: int = 1,
    resume: bool = False,
    stop_after: int = 0,
) -> RunReport:
    intake = Intake()
    beginning = resumed(store, run_id, Plan(settings=SETTINGS, source="files"))
    assert bool(beginning.starts) == resume
    if path is None:
        source = from_store(store, partitions=PARTITIONS, window=Window(), intake=intake, after=beginning.after)
    else:
        options = SourceOptions(received_at=NOW, limits=EventLimits())
        source = from_files(
            [str(path)],
            format_name="native",
            options=options,
            partitions=PARTITIONS,
            window=Window(),
            intake=intake,
            after=beginning.after,
        )
    if resume:
        (claimed,) = [one for one in read_runs(store) if one.run_id == run_id]
    else:
        claimed = claim(store, run_id, "files", Window(), SETTINGS.engine, overwrite=False)
    manner = Manner(processes=processes, beginning=beginning, stopped=_after(stop_after), batch_events=1_000)
    return replay(source, intake, store=store, settings=SETTINGS, run=claimed, manner=manner)


def _after(times: int) -> Callable[[], bool]:
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return bool(times) and asked >= times

    return stopped


def rows(store: Store, table: str, run_id: str) -> Counter[str]:
    select = "* EXCEPT run_id"
    if table == "account_daily_scores":
        select = "account_id, day, sum(scored), max(peak_score), max(window_score), sum(above_99)"
        sql = f"SELECT toString(tuple({select})) FROM {table} WHERE run_id = {{r:String}} GROUP BY account_id, day"
    else:
        sql = f"SELECT toString(tuple({select})) FROM {table} FINAL WHERE run_id = {{r:String}}"
    return Counter(row[0] for row in store.query_rows(sql, {"r": run_id}))


def same(store: Store, one: str, other: str) -> None:
    for table in TABLES:
        first, second = rows(store, table, one), rows(store, table, other)
        assert first, table
        assert first == second, f"{table} of {one} and {other}"


def counts(report: RunReport) -> tuple[int, ...]:
    return report.events, report.windows, report.incidents, report.campaigns, report.accounts


def test_sources_and_processes_give_the_same_rows(store: Store, file: Path, calls: list[ApiCall]) -> None:
    alone = run(store, "alone", path=file)
    assert alone.events == len(calls)
    assert alone.campaigns
    two = run(store, "two", processes=2)
    assert two.processes == 2
    assert counts(two) == counts(alone)
    same(store, "alone", "two")


def test_a_run_that_was_stopped_goes_on_to_the_same_rows(store: Store, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(store, "stopped", path=file, stop_after=60)
    (row,) = [one for one in read_runs(store) if one.run_id == "stopped"]
    assert row.status == "interrupted"
    before = msgspec.json.decode(row.metrics)["events"]
    report = run(store, "stopped", path=file, resume=True)
    assert 0 < before < report.events
    same(store, "alone", "stopped")
    assert store.query_rows("SELECT count() FROM model_snapshots WHERE run_id = 'stopped'") == [(0,)]
    (row,) = [one for one in read_runs(store) if one.run_id == "stopped"]
    assert row.status == "done"
