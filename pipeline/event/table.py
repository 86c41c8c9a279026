"""Calls as columns of Arrow, laid out once: what the engine reads of them and what the store keeps are both made of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import msgspec
import pyarrow as pa

from pipeline.event.api_call import FIELDS, ApiCall
from pipeline.event.arrow import batch_of
from pipeline.event.columns import EventBatch, Int64

_TIME = pa.timestamp("ms", "UTC")
#: Arrow types of the event's fields that are not text.
_TYPES: dict[str, pa.DataType] = {
    "ts": _TIME,
    "signup_ts": _TIME,
    "stream": pa.bool_(),
    "logprobs": pa.bool_(),
    "temperature": pa.float64(),
    "top_p": pa.float64(),
    "latency_ms": pa.float64(),
    "ttft_ms": pa.float64(),
    "request_bytes": pa.uint64(),
    "response_bytes": pa.uint64(),
    "status": pa.uint16(),
    "schema_version": pa.uint16(),
    **dict.fromkeys(
        (
            "n",
            "max_tokens",
            "tools",
            "input_tokens",
            "output_tokens",
            "cached_input_tokens",
            "reasoning_tokens",
            "asn",
        ),
        pa.uint32(),
    ),
}
_TEXT = pa.string()


def table_of(calls: Sequence[ApiCall]) -> pa.Table:
    """Columns of all fields, in their order, a row for each call. The calls must be as decoding lets them through."""
    values = list(zip(*map(msgspec.structs.astuple, calls), strict=True)) or [()] * len(FIELDS)
    columns: dict[str, pa.Array[Any]] = {}
    for field, column in zip(FIELDS, values, strict=True):
        columns[field] = _maps(column) if field == "attributes" else pa.array(column, _TYPES.get(field, _TEXT))
    return pa.table(columns)


def batch_of_table(events: pa.Table, offsets: Int64, partition: int) -> EventBatch:
    """The batch of what `table_of` gave; `offsets` (N,) are the events'."""
    signup = events.column_names.index("signup_ts")
    return batch_of(events.set_column(signup, "signup_ts", events["signup_ts"].cast(pa.int64())), offsets, partition)


def _maps(column: Sequence[dict[str, str]]) -> pa.Array[Any]:
    ends: Any = pa.array([0, *accumulate(map(len, column))], pa.int32())
    keys = pa.array(list(chain.from_iterable(column)), _TEXT)
    items = pa.array(list(chain.from_iterable(one.values() for one in column)), _TEXT)
    maps: pa.Array[Any] = pa.MapArray.from_arrays(ends, keys, items)
    return maps
