"""Engine states in the store: written as rows, found again as a chain of a whole state and the changes after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from pipeline.store.client import Store
from pipeline.store.queries import query

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of a state in one row; larger values make merges hungry for memory.
PIECE_BYTES = 8 << 20


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


@dataclass(frozen=True, slots=True)
class Chain:
    """The newest state of a partition: a whole one and the changes after it, in order."""

    generation: int
    offset: int
    """Last offset that is in the state."""
    states: list[bytes]


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
        "state": pa.array(pieces, pa.binary()),
    }
    return pa.table(columns)


def read_chain(store: Store, run_id: str, partition: int) -> Chain | None:
    """The newest state that is there in full; None where there is none.

    A generation whose first state never arrived is passed over for the one before it.
    """
    import pyarrow as pa

    where = {"run_id": run_id, "partition": partition}
    listed = store.query_rows(query("snapshot_list"), where)
    for generation, rows in reversed([(key, list(group)) for key, group in groupby(listed, key=lambda row: row[0])]):
        links = {int(sequence): (bool(whole), int(offset)) for _, sequence, whole, offset in rows}
        first = max((sequence for sequence, (whole, _) in links.items() if whole), default=None)
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
        return Chain(int(generation), links[last][1], states)
    return None


def forget_before(store: Store, wholes: Iterable[Snapshot]) -> None:
    """Delete the states of partitions that come before these whole ones of a run, which they are no longer needed for.

    By one command, since each is a mutation of its own in the store, however little it deletes.
    """
    newest = {(one.run_id, one.partition): one for one in wholes}
    for run_id in dict.fromkeys(run_id for run_id, _ in newest):
        ones = [one for one in newest.values() if one.run_id == run_id]
        store.command(
            query("snapshot_forget"),
            {
                "run_id": run_id,
                "partitions": [one.partition for one in ones],
                "generations": [one.generation for one in ones],
                "sequences": [one.sequence for one in ones],
            },
        )
