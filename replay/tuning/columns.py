"""The events of a search, decoded once into the columns that engines read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pipeline.event import ApiCall, Rejected, partition_of
from pipeline.event.columns import EventBatch
from pipeline.sources import SourceOptions, read_calls
from pipeline.store.client import Store
from pipeline.store.read import Delivered, read_api_calls
from replay.errors import ReplayError
from replay.window import Window

#: Calls that are held as objects before they become columns.
_PIECE = 50_000
_ARRAYS = ("ts", "offset", "identity", "simhash", "network", "numbers", "hashes")


def streams_of_files(
    paths: Sequence[str], options: SourceOptions, partitions: int, window: Window
) -> dict[int, EventBatch]:
    """The events of log files, sharded as Kafka would; what cannot be used is left out. Raises `ReplayError` for none at all."""
    return streams_of_calls(read_calls(paths, format="auto", options=options), partitions, window)


def streams_of_calls(results: Iterable[ApiCall | Rejected], partitions: int, window: Window) -> dict[int, EventBatch]:
    """Events in the order given, sharded likewise. Raises `ReplayError` for none at all."""
    return _streams(_sharded(results, partitions, window))


def streams_of_store(store: Store, partitions: int, window: Window) -> dict[int, EventBatch]:
    """The events of `api_calls`. Raises `ReplayError` for none at all."""
    delivered = (one for piece in read_api_calls(store, window.from_ms, window.to_ms) for one in piece)
    return _streams(
        (number if number >= 0 else partition_of(call.account_id, partitions), offset, call)
        for number, offset, call in delivered
    )


def _sharded(results: Iterable[ApiCall | Rejected], partitions: int, window: Window) -> Iterator[Delivered]:
    places: dict[str, int] = {}
    offsets = [0] * partitions
    for one in results:
        if isinstance(one, Rejected):
            continue
        place = places.get(one.account_id)
        if place is None:
            place = places[one.account_id] = partition_of(one.account_id, partitions)
        offset = offsets[place]
        offsets[place] = offset + 1
        if one.ts in window:
            yield place, offset, one


def _streams(delivered: Iterable[Delivered]) -> dict[int, EventBatch]:
    pieces: dict[int, list[EventBatch]] = {}
    waiting: dict[int, tuple[list[ApiCall], list[int]]] = {}
    for number, offset, call in delivered:
        calls, offsets = waiting.setdefault(number, ([], []))
        calls.append(call)
        offsets.append(offset)
        if len(calls) >= _PIECE:
            pieces.setdefault(number, []).append(EventBatch.from_calls(calls, offsets, number))
            del waiting[number]
    for number, (calls, offsets) in waiting.items():
        pieces.setdefault(number, []).append(EventBatch.from_calls(calls, offsets, number))
    if not pieces:
        raise ReplayError("the source has no events in the time of the windows: check --window, --held-out and --from")
    return {number: _joined(some) for number, some in sorted(pieces.items())}


def _joined(batches: Sequence[EventBatch]) -> EventBatch:
    return EventBatch(
        partition=batches[0].partition,
        account_id=[name for one in batches for name in one.account_id],
        event_id=[name for one in batches for name in one.event_id],
        **{name: np.concatenate([getattr(one, name) for one in batches]) for name in _ARRAYS},
    )
