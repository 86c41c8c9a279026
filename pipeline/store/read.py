"""Reading events back, as the engine needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa

from pipeline.event import FIELDS, ApiCall
from pipeline.store.client import Store
from pipeline.store.queries import query

#: Epoch milliseconds that `DateTime64` reaches: 1900 and the end of 2299.
EARLIEST_MS, LATEST_MS = -2_208_988_800_000, 10_413_791_999_999

Delivered = tuple[int, int, ApiCall]


def read_api_calls(
    store: Store, from_ms: int | None = None, to_ms: int | None = None, accounts: Sequence[str] | None = None
) -> Iterator[list[Delivered]]:
    """Events with ``from_ms <= ts < to_ms`` as (partition, offset, event), in lists of some thousands.

    Per partition in the order of offsets, whatever is written meanwhile; events without an offset have partition and
    offset -1 and come in the order of time. A record that was delivered twice comes once. Memory holds a few blocks:
    ClickHouse sorts on disk.
    """
    if accounts is not None and not accounts:
        return
    parameters = {
        "from_ms": EARLIEST_MS if from_ms is None else from_ms,
        "to_ms": LATEST_MS if to_ms is None else to_ms,
        "accounts": list(accounts or ()),
    }
    before = (-1, -1)
    for columns in store.stream_columns(query("api_calls"), parameters):
        places = list(zip(columns[0], columns[1], strict=True))
        calls = []
        for place, values in zip(places, zip(*islice(columns, 2, None), strict=True), strict=True):
            if place[1] >= 0 and place == before:
                continue
            before = place
            calls.append((*place, ApiCall(**dict(zip(FIELDS, values, strict=True)))))
        if calls:
            yield calls


#: The order of what has no offset of its own: before all that has one, and after each other.
FIRST_UNNUMBERED = -(1 << 62)


@dataclass(frozen=True, slots=True)
class EventRange:
    """Which events of `api_calls`: ``from_ms <= ts < to_ms``, sharded over `partitions`, of `accounts` or of all."""

    partitions: int
    from_ms: int | None = None
    to_ms: int | None = None
    accounts: Sequence[str] | None = None

    def parameters(self) -> dict[str, object]:
        """As the queries bind it."""
        return {
            "partitions": self.partitions,
            "from_ms": EARLIEST_MS if self.from_ms is None else self.from_ms,
            "to_ms": LATEST_MS if self.to_ms is None else self.to_ms,
            "accounts": list(self.accounts or ()),
        }


def event_counts(store: Store, events: EventRange) -> dict[int, int]:
    """How many rows of `events` each partition has; partitions without any are left out."""
    if events.accounts is not None and not events.accounts:
        return {}
    found = store.query_rows(query("event_partitions"), events.parameters())
    return {int(partition): int(count) for partition, count in found}


def read_event_columns(
    store: Store, events: EventRange, partition: int, after: int | None = None, sort_bytes: int = 256 << 20
) -> Iterator[tuple[pa.Table, np.ndarray[tuple[int], np.dtype[np.int64]]]]:
    """What the engine reads of a partition's events, in blocks of some thousands, with their offsets (N,).

    In the order of offsets, and only what comes after the offset `after`. A record that was delivered twice comes once. What has
    no offset comes first, in the order of time, and is numbered from `FIRST_UNNUMBERED` on. ClickHouse sorts on disk beyond
    `sort_bytes`.
    """
    least = -(1 << 63) if after is None else after
    parameters = events.parameters() | {"partition": partition, "after": max(least, -1)}
    settings = {"max_bytes_before_external_sort": sort_bytes}
    before, unnumbered = -1, 0
    for block in store.stream_arrow(query("event_columns"), parameters, settings):
        offsets = block["offset"].to_numpy().copy()
        none = offsets < 0
        count = int(none.sum())
        offsets[none] = FIRST_UNNUMBERED + unnumbered + np.arange(count)
        unnumbered += count
        kept = np.ones(offsets.size, np.bool_)
        kept[1:] = offsets[1:] != offsets[:-1]
        if offsets.size:
            kept[0] = offsets[0] != before
            before = int(offsets[-1])
        kept &= offsets > least
        if kept.all():
            yield block, offsets
        elif kept.any():
            yield block.filter(pa.array(kept)), offsets[kept]
