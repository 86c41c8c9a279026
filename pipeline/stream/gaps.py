"""Offsets that retention dropped before the group had read them: found, told, and kept as rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from faust.types import TP

from pipeline.store.rows import TIME


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class OffsetGap:
    """The offsets from `first` to `last`, both included, of a partition that no longer exist."""

    tp: TP
    first: int
    last: int
    found_at: int = field(default_factory=_now_ms)
    """Wall clock, epoch milliseconds."""

    @property
    def records(self) -> int:
        """How many offsets; as many records at most."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """One line for the log."""
        return (
            f"{self.tp.topic}[{self.tp.partition}]: offsets {self.first} to {self.last} are gone, retention dropped them "
            "before this group had read them; ingest those events again from the gateway's logs"
        )


def gaps_table(gaps: Sequence[OffsetGap], *, run_id: str, group: str) -> pa.Table:
    """Rows of `offset_gaps`."""
    count = len(gaps)
    return pa.table(
        {
            "run_id": pa.array([run_id] * count, pa.string()),
            "group": pa.array([group] * count, pa.string()),
            "topic": pa.array([gap.tp.topic for gap in gaps], pa.string()),
            "partition": pa.array([gap.tp.partition for gap in gaps], pa.int32()),
            "first_offset": pa.array([gap.first for gap in gaps], pa.int64()),
            "last_offset": pa.array([gap.last for gap in gaps], pa.int64()),
            "found_at": pa.array([gap.found_at for gap in gaps], TIME),
        }
    )
