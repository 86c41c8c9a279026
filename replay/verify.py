"""Whether a replay of what the stream saw gives what the stream wrote, row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from pipeline.campaigns.shard import CampaignShard, state_number
from pipeline.campaigns.wire import CAMPAIGNS_AT
from pipeline.settings import Settings
from pipeline.state import StateError, decode_state
from pipeline.store.client import Store
from pipeline.store.migrate import statements_of
from pipeline.store.read import EARLIEST_MS, LATEST_MS
from pipeline.store.records import LIVE
from pipeline.store.snapshots import Chain, StateSettings, read_chain
from replay.beginning import begin
from replay.chunk import Columns
from replay.drive import Manner, RunReport, drive
from replay.errors import ReplayError
from replay.feedback import with_feedback
from replay.plan import Plan
from replay.queries import query
from replay.source import Chunks, Intake, from_store

TABLES = ("call_scores", "account_windows", "incidents", "campaigns", "campaign_members")


class Difference(msgspec.Struct, frozen=True):
    """The first row that is not the same."""

    table: str
    key: str
    column: str
    """Empty where one side has no such row."""
    live: str | None
    replayed: str | None


class Verified(msgspec.Struct):
    """What was compared: rows by table, and the first difference; None when there is none."""

    events: int
    rows: dict[str, int]
    difference: Difference | None = None


def verify(store: Store, settings: Settings, *, from_ms: int | None, to_ms: int | None, manner: Manner) -> Verified:
    """Replay what the stream's newest states hold, under the settings that it had, and compare.

    From its first event, or with `from_ms` from the states it kept before. Rows go to tables of their own, which are dropped
    again. Raises `ReplayError` when there are no states to go by.
    """
    ends = _newest(store, settings.stream.partitions)
    settings = _as_it_was(store, settings, ends, from_ms)
    plan = Plan(settings=settings, source="clickhouse", from_ms=from_ms, snapshot=from_ms is not None)
    beginning = begin(store, plan)
    intake = Intake()
    source = from_store(
        store, partitions=settings.stream.partitions, window=plan.read, intake=intake, after=beginning.after
    )
    lateness_ms = settings.engine.allowed_lateness_s * 1000
    manner = dataclasses.replace(
        manner,
        since_ms=plan.since_ms,
        beginning=beginning,
        ends={number: chain.as_of + lateness_ms for number, chain in ends.items()},
        last_hour=_campaigns_until(store, settings),
        table=lambda name: f"verify_{name}" if name in TABLES else "",
        checkpoints=False,
    )
    report = RunReport(LIVE)
    with _tables(store):
        drive(
            _up_to(source, ends, intake),
            intake,
            store=store,
            settings=settings,
            run_id=LIVE,
            manner=manner,
            report=report,
        )
        if intake.outside:
            # The stream goes on, or was killed: what it wrote after its newest states is left out on its side too.
            to_ms = min(to_ms or LATEST_MS, *(chain.as_of for chain in ends.values()))
        counts = store.query_records(query("verify_counts"))[0]
        found = Verified(report.events, {name: int(count) for name, count in counts.items()})
        if not report.events:
            raise ReplayError("there is nothing to verify: the stream has scored no event in the window")
        where = {
            "run_id": LIVE,
            "from_ms": EARLIEST_MS if from_ms is None else from_ms,
            "to_ms": LATEST_MS if to_ms is None else to_ms,
        }
        for table in TABLES:
            differing = store.query_rows(query(f"verify_{table}"), where)
            if differing:
                found.difference = _difference(store, table, str(differing[0][0]))
                break
    return found


def _newest(store: Store, partitions: int) -> dict[int, Chain]:
    found = {number: read_chain(store, LIVE, number) for number in range(partitions)}
    ends = {number: chain for number, chain in found.items() if chain is not None}
    if not ends:
        raise ReplayError(
            "there is no state of the stream in the store to verify by: let `stillwatch worker` run on this store first"
        )
    return ends


def _as_it_was(store: Store, settings: Settings, ends: Mapping[int, Chain], from_ms: int | None) -> Settings:
    """The settings that the stream had, with what the store suppresses and what analysts have said."""
    told = {chain.settings for chain in ends.values()} - {""}
    if len(told) > 1:
        raise ReplayError(
            "the stream's partitions have states of different settings: let the worker run on, then verify again"
        )
    if told:
        try:
            had = msgspec.json.decode(told.pop(), type=StateSettings)
        except msgspec.MsgspecError as error:
            raise ReplayError(
                f"the stream's settings are of another program ({error}): verify with that one"
            ) from error
        stream = replace(settings.stream, partitions=had.partitions)
        settings = replace(settings, engine=had.engine, campaigns=had.campaigns, stream=stream)
    return with_feedback(settings, store, suppressions=True, verdicts=True)


def _campaigns_until(store: Store, settings: Settings) -> int:
    """The hour before which the stream had looked for campaigns when its newest state of them was taken; 0 for none."""
    chain = read_chain(store, LIVE, state_number(CAMPAIGNS_AT))
    if chain is None:
        return 0
    lateness_s, partitions = settings.engine.allowed_lateness_s, settings.stream.partitions
    shard = CampaignShard(settings.campaigns, lateness_s, partitions, CAMPAIGNS_AT)
    try:
        shard.load([decode_state(chain.states[-1])])
    except StateError as error:
        raise ReplayError(f"the stream's state of campaigns cannot be read: {error}") from error
    assert shard.campaigns is not None
    return max(shard.campaigns.gate.next_hour, 0)


def _up_to(source: Chunks, ends: Mapping[int, Chain], intake: Intake) -> Chunks:
    # What has no offset came another way than through the stream.
    for chunk in source:
        assert isinstance(chunk, Columns)
        end = ends[chunk.partition].offset if chunk.partition in ends else -1
        beyond = chunk.offsets > end
        intake.outside += int(beyond.sum())
        kept = ~beyond & (chunk.offsets >= 0)
        if kept.all():
            yield chunk
        elif kept.any():
            yield Columns(
                chunk.partition, chunk.events.filter(pa.array(kept)), np.ascontiguousarray(chunk.offsets[kept])
            )


@contextmanager
def _tables(store: Store) -> Iterator[None]:
    # Some may be there of one that was killed.
    _run_all(store, "verify_forget")
    try:
        _run_all(store, "verify_tables")
        yield
    finally:
        _run_all(store, "verify_forget")


def _run_all(store: Store, name: str) -> None:
    for statement in statements_of(query(name)):
        store.command(statement)


def _difference(store: Store, table: str, key: str) -> Difference:
    records = store.query_records(query(f"verify_{table}_row"), {"run_id": LIVE, "key": key})
    sides: dict[str, dict[str, Any]] = {str(record.pop("side")): record for record in records}
    live, replayed = sides.get("live"), sides.get("replayed")
    if live is None or replayed is None:
        return Difference(table, key, "", _row(live), _row(replayed))
    column = next((name for name in live if str(live[name]) != str(replayed[name])), "")
    return Difference(table, key, column, str(live.get(column)), str(replayed.get(column)))


def _row(record: Mapping[str, Any] | None) -> str | None:
    return None if record is None else ", ".join(f"{name} {value}" for name, value in record.items())
