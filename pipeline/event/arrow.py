"""From Arrow columns, as stores and Parquet files give them, straight to a batch: no object for each event."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pyarrow as pa

from pipeline.event.address import network_of
from pipeline.event.column_names import HASHED_FIELDS, NUMBER_FIELDS
from pipeline.event.columns import EventBatch, Int64, UInt64
from pipeline.event.hashing import hash_pairs, hash_slices

# The type of a column's values is known by its name only.
Column = Any

#: What `batch_of` reads beside the offsets, in no particular order.
BATCH_FIELDS = ("ts", "account_id", "event_id", "client_ip", "prompt_simhash", *HASHED_FIELDS, *NUMBER_FIELDS)


def batch_of(events: pa.Table, offsets: Int64, partition: int) -> EventBatch:
    """The batch that `EventBatch.from_calls` would make of the same events.

    `events` has the columns of `BATCH_FIELDS`; times are epoch milliseconds, absent values null. `offsets` (N,).
    """
    columns = {name: _whole(events, name) for name in dict.fromkeys(BATCH_FIELDS)}
    numbers = np.empty((events.num_rows, len(NUMBER_FIELDS)))
    for at, name in enumerate(NUMBER_FIELDS):
        numbers[:, at] = _numbers(columns[name])
    np.nan_to_num(numbers, copy=False)
    hashes = np.empty((events.num_rows, len(HASHED_FIELDS)), np.uint64)
    for at, name in enumerate(HASHED_FIELDS):
        hashes[:, at] = _hashes(columns[name])
    return EventBatch(
        partition=partition,
        account_id=_repeated(columns["account_id"]),
        event_id=columns["event_id"].to_pylist(),
        ts=columns["ts"].cast(pa.int64()).to_numpy(zero_copy_only=False),
        offset=offsets,
        identity=hash_pairs(_hashes(columns["account_id"]), _hashes(columns["event_id"])),
        simhash=_simhashes(columns["prompt_simhash"]),
        network=_networks(columns["client_ip"]),
        numbers=numbers,
        hashes=hashes,
    )


def _whole(events: pa.Table, name: str) -> Column:
    column: Any = events[name].combine_chunks()
    # An empty column, and of some versions one of many parts, stays in parts.
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _numbers(column: Column) -> Any:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return column.cast(pa.float64(), safe=False).fill_null(0.0).to_numpy(zero_copy_only=False)


def _slices(column: Column) -> tuple[Any, Int64]:
    """The bytes of texts one after the other, and the length of each."""
    texts = column if pa.types.is_string(column.type) else column.cast(pa.string())
    count = len(texts)
    _, ends, data = texts.buffers()
    if not count or ends is None:
        return np.empty(0, np.uint8), np.zeros(count, np.int64)
    bounds = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + count + 1].astype(np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
    return held[bounds[0] : bounds[-1]], np.diff(bounds)


def _hashes(column: Column) -> UInt64:
    hashes = hash_slices(*_slices(column))
    if column.null_count:
        hashes[column.is_null().to_numpy(zero_copy_only=False)] = 0
    return hashes


def _simhashes(column: Column) -> UInt64:
    numbers: UInt64 = _hexadecimal(*_slices(column))
    if column.null_count:
        numbers[column.is_null().to_numpy(zero_copy_only=False)] = 0
    return numbers


def _networks(column: Column) -> UInt64:
    coded = column.dictionary_encode()
    known = np.array([network_of(address) for address in coded.dictionary.to_pylist()] + [0], np.uint64)
    # Absent addresses are the last entry.
    at = coded.indices.cast(pa.int64()).fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
    networks: UInt64 = known[at]
    return networks


def _repeated(column: Column) -> list[str]:
    # One object for each account, whose hash Python then computes once.
    coded = column.dictionary_encode()
    names = coded.dictionary.to_pylist()
    return [names[index] for index in coded.indices.to_pylist()]


@numba.njit(cache=True)
def _hexadecimal(data, lengths):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # The digits were looked at when the event was read.
    out = np.zeros(lengths.size, np.uint64)
    start = 0
    for i in range(lengths.size):
        value = np.uint64(0)
        for j in range(start, start + lengths[i]):
            digit = data[j]
            if digit >= 97:
                digit -= 87
            elif digit >= 65:
                digit -= 55
            else:
                digit -= 48
            value = (value << np.uint64(4)) | np.uint64(digit)
        start += lengths[i]
        out[i] = value
    return out
