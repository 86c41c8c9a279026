"""The few tables that the store's owner may write over the HTTP interface: what people record, not what the stream does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.store.http.permitted import RefusedError
from pipeline.store.http.wire import Request

if TYPE_CHECKING:
    from pipeline.store.client import Store

WRITABLE = ("labels", "suppressions", "incident_triage", "replay_runs")
_TARGET = re.compile(r"INSERT\s+INTO\s+(?:(?:TABLE\s+)?[`\w]+\.)?`?(\w+)`?\s*(?:\([`\w,\s]*\))?\s*", re.IGNORECASE)


def insert(store: Store, request: Request) -> int:
    """Insert what a request brings as Arrow; the rows. Raises `RefusedError`, or the store's errors."""
    import pyarrow as pa

    target = _TARGET.fullmatch(request.sql.decode(errors="replace"))
    if target is None or target.group(1) not in WRITABLE or request.data_format not in ("Arrow", "ArrowStream"):
        raise RefusedError(refusal())
    try:
        reader = pa.ipc.open_file if request.data_format == "Arrow" else pa.ipc.open_stream
        rows = reader(pa.BufferReader(request.data or b"")).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise RefusedError(f"Code: 117. DB::Exception: The data is not Arrow: {error}. (INCORRECT_DATA)") from None
    store.insert_arrow(target.group(1), rows)
    return int(rows.num_rows)


def refusal() -> str:
    """What is answered to any other statement that writes."""
    return (
        f"Code: 164. DB::Exception: Cannot execute query in readonly mode: a worker holds this store, and lets only its owner "
        f"write, and only {', '.join(WRITABLE)}. (READONLY)"
    )
