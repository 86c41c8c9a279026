"""Events of Parquet files, whose columns have the names of the event's fields, as an export of `api_calls` has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.event import ApiCall, Rejected, RejectReason, from_mapping, rejected
from pipeline.sources import SourceOptions

_ROWS = 5_000
#: Columns of `api_calls` that are no fields of the event: where it lay, not what it was.
_PLACE = frozenset({"topic", "partition", "offset", "received_at", "written_at", "delivery_rank"})


def is_parquet(path: str) -> bool:
    """Whether the file begins as Parquet files do."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False


def parquet_calls(
    path: str, options: SourceOptions, progress: Callable[[int], None] | None = None
) -> Iterator[ApiCall | Rejected]:
    """The events in the order of the rows; what cannot be used as rejects with file and row."""
    try:
        file = pq.ParquetFile(path)
        row = 0
        for batch in file.iter_batches(_ROWS):
            for fields in _records(batch):
                row += 1
                yield _call(fields, f"{path}:{row}", options)
            if progress is not None:
                progress(round(Path(path).stat().st_size * batch.num_rows / max(1, file.metadata.num_rows)))
    except (pa.ArrowException, OSError) as error:
        detail = " ".join(f"not Parquet that can be read: {error}".split())
        yield rejected(RejectReason.UNREADABLE_INPUT, detail, b"", options.received_at, path)


def _call(fields: dict[str, Any], place: str, options: SourceOptions) -> ApiCall | Rejected:
    if fields.get("account_id") is None and options.account is not None:
        fields["account_id"] = options.account
    call = from_mapping(fields, b"", received_at=options.received_at, limits=options.limits)
    if isinstance(call, Rejected):
        return rejected(call.reason, call.detail, repr(fields).encode(), options.received_at, place)
    return call


def _records(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    columns: dict[str, list[Any]] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name not in _PLACE:
            columns[name] = _values(column)
    for row in zip(*columns.values(), strict=True):
        yield {name: value for name, value in zip(columns, row, strict=True) if value is not None}


def _values(column: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        # Without a zone it is UTC, as ClickHouse writes it.
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())
    elif pa.types.is_map(column.type):
        return [None if one is None else dict(one) for one in column.to_pylist()]
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in column.to_pylist()]
