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
from pipeline.store.records import LIVE, read_runs
from pipeline.store.rows import api_calls_table
from replay.beginning import Beginning, begin, resumed
from replay.drive import Manner, RunReport, drive
from replay.errors import ReplayError
from replay.plan import Plan, open_source
from replay.run import claim, replay
from replay.scenarios import generate
from replay.source import Intake, from_files, from_store
from replay.verify import verify
from replay.window import Window

PARTITIONS = 4
SETTINGS = Settings(stream=StreamSettings(partitions=PARTITIONS, checkpoint_s=0.5))
TABLES = ("call_scores", "account_windows", "account_daily_scores", "incidents", "campaigns", "campaign_members")
NOW = 1_800_000_000_000
DAY = 86_400_000
#: The third of the four days.
FROM = 1_733_011_200_000 + 2 * DAY


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
    manner = Manner(processes=processes, beginning=beginning, stopped=_after(stop_after), batch_events=2_000)
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
        run(store, "stopped", path=file, stop_after=100)
    (row,) = [one for one in read_runs(store) if one.run_id == "stopped"]
    assert row.status == "interrupted"
    before = msgspec.json.decode(row.metrics)["events"]
    report = run(store, "stopped", path=file, resume=True)
    assert 0 < before < report.events
    same(store, "alone", "stopped")
    assert store.query_rows("SELECT count() FROM model_snapshots WHERE run_id = 'stopped'") == [(0,)]
    (row,) = [one for one in read_runs(store) if one.run_id == "stopped"]
    assert row.status == "done"


@pytest.fixture(scope="module")
def lived(store: Store, file: Path) -> None:
    """What the stream would have left: rows and states under its name, and all states still there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.stream.checkpoint.forget_before", lambda *_: None)
        intake = Intake()
        options = SourceOptions(received_at=NOW, limits=EventLimits())
        source = from_files(
            [str(file)], format_name="native", options=options, partitions=PARTITIONS, window=Window(), intake=intake
        )
        manner = Manner(1, batch_events=500, beginning=Beginning(shards=PARTITIONS))
        often = msgspec.structs.replace(
            SETTINGS, stream=msgspec.structs.replace(SETTINGS.stream, checkpoint_s=0.2, states_kept_days=2)
        )
        drive(source, intake, store=store, settings=often, run_id=LIVE, manner=manner, report=RunReport(LIVE))


@pytest.mark.usefixtures("lived")
def test_a_run_from_kept_states_gives_the_rows_of_the_stream(store: Store) -> None:
    plan = Plan(settings=SETTINGS, source="clickhouse", from_ms=FROM, snapshot=True)
    beginning = begin(store, plan)
    # Something has been learnt, and not all: the states are neither of the first event nor of the last.
    assert all(0 < after < 5_000 for after in beginning.after.values())
    assert len(beginning.starts) == len(beginning.campaigns) == PARTITIONS
    intake = Intake()
    source = open_source(plan, store, beginning, intake, list)
    claimed = claim(store, "warm", "clickhouse", plan.window, SETTINGS.engine, overwrite=False)
    report = replay(
        source,
        intake,
        store=store,
        settings=SETTINGS,
        run=claimed,
        manner=Manner(1, since_ms=plan.since_ms, beginning=beginning),
    )
    counted = store.query_rows(
        "SELECT count() FROM api_calls WHERE ts >= fromUnixTimestamp64Milli({f:Int64})", {"f": FROM}
    )
    assert counted == [(report.events,)]
    for table, time in (("call_scores", "ts"), ("account_windows", "window_start"), ("campaign_members", "joined_at")):
        where = f"run_id = {{r:String}} AND toUnixTimestamp64Milli({time}) >= {{f:Int64}}"
        sql = f"SELECT toString(tuple(* EXCEPT run_id)) FROM {table} FINAL WHERE {where}"
        live, warm = (Counter(store.query_rows(sql, {"r": run_id, "f": FROM})) for run_id in (LIVE, "warm"))
        assert live == warm, table
        assert rows(store, table, "warm") == Counter(one for (one,) in warm.elements()), "nothing of before is told"


@pytest.mark.usefixtures("lived")
def test_verify_from_kept_states_and_what_it_needs(store: Store, calls: list[ApiCall]) -> None:
    found = verify(store, SETTINGS, from_ms=FROM, to_ms=None, manner=Manner(1))
    assert found.difference is None
    # There are events after the newest states, as when a stream was killed: they are no difference.
    assert 0 < found.events == found.rows["call_scores"] < sum(call.ts >= FROM for call in calls)
    assert found.rows["incidents"] > 0
    store.command("DELETE FROM model_snapshots WHERE run_id = 'live' AND toUnixTimestamp(as_of) = 0")
    with pytest.raises(ReplayError, match="has kept no state of campaigns as of 2024-11-01T00:00:00Z"):
        verify(store, SETTINGS, from_ms=FROM - 32 * DAY, to_ms=None, manner=Manner(1))
    store.command("ALTER TABLE incidents DELETE WHERE run_id = 'live'", settings={"mutations_sync": 2})
    lost = verify(store, SETTINGS, from_ms=FROM, to_ms=None, manner=Manner(1)).difference
    assert lost is not None
    assert (lost.table, lost.live) == ("incidents", None)
    store.command("INSERT INTO account_states (run_id, partition, account_id, version) VALUES ('live', 0, 'gone', 1)")
    with pytest.raises(ReplayError, match="1 accounts have left the stream's memory"):
        verify(store, SETTINGS, from_ms=FROM, to_ms=None, manner=Manner(1))
    store.command("TRUNCATE TABLE account_states")


def test_a_warm_up_is_learnt_from_and_not_told(store: Store, calls: list[ApiCall]) -> None:
    plan = Plan(settings=SETTINGS, source="clickhouse", from_ms=FROM, to_ms=FROM + DAY, warm_up_ms=2 * DAY)
    whole = Plan(settings=SETTINGS, source="clickhouse", to_ms=FROM + DAY)
    for name, one in (("warmed-up", plan), ("in-full", whole)):
        intake = Intake()
        claimed = claim(store, name, "clickhouse", one.window, SETTINGS.engine, overwrite=False)
        source = open_source(one, store, Beginning(), intake, list)
        manner = Manner(1, since_ms=one.since_ms)
        report = replay(source, intake, store=store, settings=SETTINGS, run=claimed, manner=manner)
        assert report.events == sum(call.ts in one.window for call in calls)
    known, full = rows(store, "call_scores", "warmed-up"), rows(store, "call_scores", "in-full")
    assert known <= full
    assert rows(store, "account_windows", "warmed-up") <= rows(store, "account_windows", "in-full")


def test_only_some_accounts(store: Store, calls: list[ApiCall]) -> None:
    some = tuple(sorted({call.account_id for call in calls}))[:5]
    plan = Plan(settings=SETTINGS, source="clickhouse", accounts=some)
    intake = Intake()
    chunks = list(open_source(plan, store, Beginning(), intake, list))
    assert sum(map(len, chunks)) == sum(call.account_id in some for call in calls)
