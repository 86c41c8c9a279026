"""Engine states in the store: written as rows, found again as a chain of a whole state and the changes after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.settings import CampaignSettings, EngineSettings, Settings
from pipeline.store.client import Store
from pipeline.store.queries import query

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of a state in one row; larger values make merges hungry for memory.
PIECE_BYTES = 8 << 20
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of one partition's engine, encoded, and its place among the others."""

    run_id: str
    partition: int
    generation: int
    sequence: int
    whole: bool
    as_of: int
    """Event time in epoch milliseconds up to which windows are closed; -1 before the first event."""
    offset: int
    """Last offset that is in the state."""
    accounts: int
    state: bytes
    settings: str = ""
    """`StateSettings` as text; empty where nobody said."""


class StateSettings(msgspec.Struct, frozen=True):
    """The settings under which a state came to be: all that verdicts depend on."""

    engine: EngineSettings
    campaigns: CampaignSettings
    partitions: int

    @classmethod
    def of(cls, settings: Settings) -> StateSettings:
        """Those of a program."""
        return cls(settings.engine, settings.campaigns, settings.stream.partitions)

    def text(self) -> str:
        """As the rows of a state have it."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Chain:
    """The newest state of a partition: a whole one and the changes after it, in order."""

    generation: int
    offset: int
    """Last offset that is in the state."""
    states: list[bytes]
    as_of: int = 0
    """Event time up to which windows are closed, epoch milliseconds; 0 before the first event."""
    settings: str = ""


class _Link(NamedTuple):
    """A state in the list of them."""

    generation: int
    sequence: int
    whole: int
    offset: int
    as_of: int
    settings: str


def snapshot_table(snapshot: Snapshot) -> pa.Table:
    """Rows of `model_snapshots`, one for each piece."""
    import pyarrow as pa

    state = snapshot.state
    pieces = [state[begin : begin + PIECE_BYTES] for begin in range(0, len(state), PIECE_BYTES)]
    count = len(pieces)
    columns = {
        "run_id": pa.array([snapshot.run_id] * count, pa.string()),
        "partition": pa.array([snapshot.partition] * count, pa.int32()),
        "generation": pa.array([snapshot.generation] * count, pa.uint64()),
        "sequence": pa.array([snapshot.sequence] * count, pa.uint32()),
        "piece": pa.array(range(count), pa.uint16()),
        "pieces": pa.array([count] * count, pa.uint16()),
        "whole": pa.array([snapshot.whole] * count, pa.bool_()),
        "as_of": pa.array([max(snapshot.as_of, 0)] * count, pa.timestamp("ms", "UTC")),
        "offset": pa.array([snapshot.offset] * count, pa.int64()),
        "accounts": pa.array([snapshot.accounts] * count, pa.uint32()),
        "settings": pa.array([snapshot.settings] * count, pa.string()),
        "state": pa.array(pieces, pa.binary()),
    }
    return pa.table(columns)


def read_chain(store: Store, run_id: str, partition: int, as_of: int | None = None) -> Chain | None:
    """The newest state that is there in full, or the newest as of an event time; None where there is none.

    A generation whose first state never arrived is passed over for the one before it.
    """
    import pyarrow as pa

    where = {"run_id": run_id, "partition": partition}
    listed = [one for one in _links(store, run_id, partition) if as_of is None or one.as_of <= as_of]
    for generation, group in reversed([(key, list(group)) for key, group in groupby(listed, key=lambda row: row[0])]):
        links = {one.sequence: one for one in group}
        first = max((one.sequence for one in group if one.whole), default=None)
        if first is None:
            continue
        last = first
        while last + 1 in links:
            last += 1
        span = {"generation": generation, "first": first, "last": last}
        found = store.query_arrow(query("snapshot_states"), where | span)
        states = [b""] * (last - first + 1)
        pieces = zip(found["sequence"].to_pylist(), found["state"].cast(pa.binary()).to_pylist(), strict=True)
        for sequence, parts in groupby(pieces, key=lambda row: row[0]):
            states[sequence - first] = b"".join(part or b"" for _, part in parts)
        end = links[last]
        return Chain(generation, end.offset, states, end.as_of, end.settings)
    return None


def forget_before(store: Store, wholes: Iterable[Snapshot], kept_days: int = 0) -> None:
    """Delete the states of partitions that come before these whole ones of a run, which they are no longer needed for.

    By one command, since each is a mutation of its own in the store, however little it deletes. Of each of the latest
    `kept_days` days of event time the first whole state stays, for replays to start from.
    """
    newest = {(one.run_id, one.partition): one for one in wholes}
    for run_id in dict.fromkeys(run_id for run_id, _ in newest):
        ones = [one for one in newest.values() if one.run_id == run_id]
        kept = [(one.partition, *place) for one in ones for place in _kept(store, run_id, one.partition, kept_days)]
        store.command(
            query("snapshot_forget"),
            {
                "run_id": run_id,
                "partitions": [one.partition for one in ones],
                "generations": [one.generation for one in ones],
                "sequences": [one.sequence for one in ones],
                "kept": kept,
            },
        )


def _kept(store: Store, run_id: str, partition: int, days: int) -> list[tuple[int, int]]:
    # Generation and sequence of the first whole state of each of the latest days.
    if not days:
        return []
    links = _links(store, run_id, partition)
    newest = max((one.as_of for one in links), default=0)
    kept: dict[int, tuple[int, int]] = {}
    for one in links:
        if one.whole and one.as_of >= newest - days * _DAY_MS:
            kept.setdefault(one.as_of // _DAY_MS, (one.generation, one.sequence))
    return sorted(kept.values())


def _links(store: Store, run_id: str, partition: int) -> list[_Link]:
    rows = store.query_rows(query("snapshot_list"), {"run_id": run_id, "partition": partition})
    return [_Link(*row) for row in rows]
