"""Reading events back, as the engine needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

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
