"""What the store says about where a stream can go on, and what it has missed."""

from __future__ import annotations

import msgspec

from pipeline.store.client import Store
from pipeline.store.queries import query


class States(msgspec.Struct, frozen=True):
    """The states of a run's engines: of how many partitions, how long ago the newest and oldest came, and their size."""

    partitions: int
    newest_s: int
    oldest_s: int
    bytes: int


class Gaps(msgspec.Struct, frozen=True):
    """What retention took from a group: gaps, offsets in them, gaps found recently, and when the latest was found (UTC)."""

    gaps: int
    records: int
    recent: int
    latest: str | None


def read_states(store: Store, run_id: str) -> States:
    """Of the partitions that have any. Raises the errors of the store."""
    return States(**store.query_records(query("continuity_states"), {"run_id": run_id})[0])


def read_gaps(store: Store, run_id: str, group: str, recent_s: int) -> Gaps:
    """All gaps, and how many of them were found in the last `recent_s` seconds. Raises the errors of the store."""
    where = {"run_id": run_id, "group": group, "recent_s": recent_s}
    return Gaps(**store.query_records(query("continuity_gaps"), where)[0])
