"""The hours of a run as the store has them: what its incidents were decided by, in the order it was decided in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from pipeline.incidents.incident import Reason
from pipeline.store.client import Store
from replay.errors import ReplayError
from replay.queries import query

if TYPE_CHECKING:
    import pyarrow as pa

Int64 = NDArray[np.int64]
HOUR_MS = 3_600_000
#: Bits of an hour since the epoch (until 2089) and of a place among the hours that closed together.
_HOUR_BITS, _PLACE_BITS = 20, 31


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of one partition, N of them, in the order in which they closed. Times in epoch milliseconds."""

    partition: int
    account: NDArray[np.uint64]
    """A hash of the account's id."""
    start: Int64
    evidence: NDArray[np.float64]
    output_tokens: Int64
    account_calls: Int64
    closed_by: Int64
    account_id: Sequence[str]
    """Known where the evidence reaches what was asked for, and empty elsewhere."""
    reasons: Callable[[int], Sequence[Reason]]
    """Known likewise, where the run stored any."""


def hours_of(store: Store, run_id: str, *, named_from: float) -> Iterator[Hours]:
    """The hours of a run, a day and partition at a time, each partition in its order.

    Accounts are named and reasons known where the evidence reaches `named_from`. Memory holds a day. Raises `ReplayError`
    when the run has no hours, or none with what they were decided by.
    """
    days = store.query_records(query("evidence_days"), {"run_id": run_id})
    if not days:
        raise ReplayError(f"run {run_id} has no closed hours: check the name with `stillwatch sql`, or replay it first")
    if not any(one["decided"] for one in days):
        raise ReplayError(
            f"run {run_id} was made before evidence was stored: replay it once more, `replay run --run-id {run_id} --overwrite`"
        )
    for one in days:
        parameters = {"run_id": run_id, "day": one["day"], "named_from": named_from}
        yield from _by_partition(store.query_arrow(query("evidence_of_day"), parameters))


class _Texts(Sequence[str]):
    """Texts of a column, made when they are asked for."""

    def __init__(self, column: pa.Array[Any], order: Int64) -> None:
        self._column, self._order = column, order

    def __len__(self) -> int:
        return int(self._order.size)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        text: str = self._column[int(self._order[index])].as_py()
        return text


def _by_partition(found: pa.Table) -> Iterator[Hours]:
    columns = {name: found.column(name).combine_chunks() for name in found.column_names}
    numbers = {
        name: columns[name].to_numpy(zero_copy_only=False)
        for name in columns
        if name not in ("account_id", "evidence_reasons")
    }
    partition, hour, place = (numbers[name].astype(np.int64) for name in ("partition", "hour", "place"))
    key = (partition << (_HOUR_BITS + _PLACE_BITS)) | (hour << _PLACE_BITS) | place
    order = np.argsort(key, kind="stable")
    key, account = key[order], numbers["account"][order]
    # What was written twice, after a restart, is the same twice.
    again = np.zeros(key.size, np.bool_)
    again[1:] = (key[1:] == key[:-1]) & (account[1:] == account[:-1])
    order = order[~again]
    partition = partition[order]
    edges = np.flatnonzero(np.diff(partition)) + 1
    for rows in np.split(order, edges):
        if rows.size:
            yield _hours(columns, numbers, rows)


def _hours(columns: dict[str, Any], numbers: dict[str, NDArray[Any]], rows: Int64) -> Hours:
    stored = columns["evidence_reasons"]

    def reasons(row: int) -> Sequence[Reason]:
        return [Reason(*one.values()) for one in stored[int(rows[row])].as_py()]

    return Hours(
        partition=int(numbers["partition"][rows[0]]),
        account=numbers["account"][rows],
        start=numbers["hour"][rows].astype(np.int64) * HOUR_MS,
        evidence=numbers["evidence"][rows].astype(np.float64),
        output_tokens=numbers["output_tokens"][rows].astype(np.int64),
        account_calls=numbers["account_calls"][rows].astype(np.int64),
        closed_by=numbers["closed_by"][rows].astype(np.int64),
        account_id=_Texts(columns["account_id"], rows),
        reasons=reasons,
    )
