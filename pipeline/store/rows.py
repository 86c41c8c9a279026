"""From events and verdicts to Arrow tables with the columns of the store's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.campaigns.campaign import Campaign, Evidence, Member
from pipeline.engine.verdicts import AccountWindows, CallScores
from pipeline.event import FIELDS, ApiCall, Rejected
from pipeline.features.layout import DISTINCT_NAMES, SUM_NAMES
from pipeline.incidents.incident import Incident, Reason

Column: TypeAlias = "pa.Array[Any]"
TIME = pa.timestamp("ms", "UTC")
_TEXT = pa.string()
_REASON = pa.struct(
    [("feature", pa.string()), ("observed", pa.float64()), ("expected", pa.float64()), ("share", pa.float32())]
)

_EVIDENCE = pa.struct([("link", pa.string()), ("value", pa.string()), ("weight", pa.float32())])

#: Arrow types of the event's fields that are not text.
_EVENT_TYPES: dict[str, pa.DataType] = {
    "ts": TIME,
    "signup_ts": TIME,
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
    "attributes": pa.map_(pa.string(), pa.string()),
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
#: Columns of `account_windows` that are counts, in the order of `AccountWindows`.
WINDOW_COUNTS = SUM_NAMES + DISTINCT_NAMES


def api_calls_table(
    calls: Sequence[ApiCall],
    *,
    received_at: int | Sequence[int],
    topic: str = "",
    partition: int = -1,
    offsets: Sequence[int] | None = None,
) -> pa.Table:
    """Rows of `api_calls`: the events of one partition, `offsets[i]` that of `calls[i]`; -1 where there is none.

    Leave out what the engine called duplicates, or the aggregates count it twice.
    """
    count = len(calls)
    columns: dict[str, Column] = {}
    values = list(zip(*map(msgspec.structs.astuple, calls), strict=True)) or [()] * len(FIELDS)
    for field, column in zip(FIELDS, values, strict=True):
        if field == "attributes":
            column = tuple(list(attributes.items()) for attributes in column)
        columns[field] = pa.array(column, _EVENT_TYPES.get(field, _TEXT))
    columns["topic"] = _same(topic, count)
    columns["partition"] = _same(partition, count, pa.int32())
    columns["offset"] = pa.array([-1] * count if offsets is None else offsets, pa.int64())
    received = [received_at] * count if isinstance(received_at, int) else received_at
    columns["received_at"] = pa.array(received, TIME)
    return pa.table(columns)


def rejected_table(rejected: Sequence[Rejected]) -> pa.Table:
    """Rows of `rejected_events`."""
    return pa.table(
        {
            "received_at": pa.array([item.received_at for item in rejected], TIME),
            "source": pa.array([item.source for item in rejected], _TEXT),
            "topic": pa.array([item.topic for item in rejected], _TEXT),
            "partition": pa.array([item.partition for item in rejected], pa.int32()),
            "offset": pa.array([item.offset for item in rejected], pa.int64()),
            "reason": pa.array([str(item.reason) for item in rejected], _TEXT),
            "detail": pa.array([item.detail for item in rejected], _TEXT),
            "raw": pa.array([item.raw for item in rejected], pa.binary()),
        }
    )


def call_scores_table(scores: CallScores, *, run_id: str) -> pa.Table:
    """Rows of `call_scores`."""
    count = len(scores.account_id)
    return pa.table(
        {
            "run_id": _same(run_id, count),
            "account_id": pa.array(scores.account_id, _TEXT),
            "ts": _times(scores.ts),
            "event_id": pa.array(scores.event_id, _TEXT),
            "score": pa.array(scores.score, pa.float64()),
            "late": pa.array(scores.late, pa.bool_()),
            "reasons": _reasons(scores.reasons),
        }
    )


def account_windows_table(windows: AccountWindows, *, run_id: str) -> pa.Table:
    """Rows of `account_windows`."""
    columns: dict[str, Column] = {
        "run_id": _same(run_id, len(windows.account_id)),
        "account_id": pa.array(windows.account_id, _TEXT),
        "window_s": pa.array(windows.window_s.astype(np.uint32)),
        "window_start": _times(windows.window_start),
    }
    for name in WINDOW_COUNTS:
        columns[name] = pa.array(getattr(windows, name).astype(np.uint64))
    columns["score"] = pa.array(windows.score, pa.float64())
    columns["reasons"] = _reasons(windows.reasons)
    return pa.table(columns | _hours(windows))


def incidents_table(incidents: Sequence[Incident], *, run_id: str) -> pa.Table:
    """Rows of `incidents`, one for each version."""
    plain = {
        "incident_id": _TEXT,
        "version": pa.uint32(),
        "kind": _TEXT,
        "entity_type": _TEXT,
        "entity_id": _TEXT,
        "opened_at": TIME,
        "detected_at": TIME,
        "last_seen_at": TIME,
        "closed_at": TIME,
        "severity": _TEXT,
        "peak_score": pa.float64(),
        "status": _TEXT,
        "output_tokens": pa.uint64(),
        "summary": _TEXT,
    }
    columns = {"run_id": _same(run_id, len(incidents))}
    for name, kind in plain.items():
        columns[name] = pa.array([getattr(incident, name) for incident in incidents], kind)
    columns["reasons"] = _reasons([incident.reasons for incident in incidents])
    return pa.table(columns)


def campaigns_table(campaigns: Sequence[Campaign], *, run_id: str) -> pa.Table:
    """Rows of `campaigns`, one for each version."""
    plain = {
        "campaign_id": _TEXT,
        "version": pa.uint32(),
        "opened_at": TIME,
        "detected_at": TIME,
        "last_seen_at": TIME,
        "members": pa.uint32(),
        "output_tokens": pa.uint64(),
        "score": pa.float64(),
        "status": _TEXT,
    }
    columns = {"run_id": _same(run_id, len(campaigns))}
    for name, kind in plain.items():
        columns[name] = pa.array([getattr(campaign, name) for campaign in campaigns], kind)
    columns["evidence"] = _evidence([campaign.evidence for campaign in campaigns])
    return pa.table(columns)


def campaign_members_table(members: Sequence[Member], *, run_id: str) -> pa.Table:
    """Rows of `campaign_members`."""
    columns = {
        "run_id": _same(run_id, len(members)),
        "campaign_id": pa.array([member.campaign_id for member in members], _TEXT),
        "account_id": pa.array([member.account_id for member in members], _TEXT),
        "joined_at": pa.array([member.joined_at for member in members], TIME),
        "evidence": _evidence([member.evidence for member in members]),
    }
    return pa.table(columns)


def suppressed_incidents_table(incidents: Sequence[Incident], *, run_id: str) -> pa.Table:
    """Rows of `suppressed_incidents`, one for each version."""
    table = incidents_table(incidents, run_id=run_id)
    hours = pa.array([incident.suppressed_hours for incident in incidents], pa.uint32())
    by = pa.array([incident.suppressed_by for incident in incidents], _TEXT)
    return table.append_column("suppressed_hours", hours).append_column("suppressed_by", by)


def _hours(windows: AccountWindows) -> dict[str, Column]:
    # What incidents were decided by; windows of other lengths have nothing there.
    hours, count = windows.hours, len(windows.account_id)
    if hours is None:
        return {}

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        whole = np.zeros(count, values.dtype)
        whole[hours.row] = values
        return whole

    reasons: list[Sequence[Reason]] = [()] * count
    for row, one in zip(hours.row.tolist(), hours.reasons, strict=True):
        reasons[row] = one
    return {
        "evidence": pa.array(spread(hours.evidence)),
        "evidence_reasons": _reasons(reasons),
        "partition": _same(hours.partition, count, pa.int32()),
        "place": pa.array(spread(hours.place.astype(np.uint32))),
        "account_calls": pa.array(spread(hours.account_calls.astype(np.uint64))),
        "closed_by": _times(spread(hours.closed_by)),
    }


def _same(value: Any, count: int, kind: pa.DataType = _TEXT) -> Column:
    return pa.array([value] * count, kind)


def _times(milliseconds: NDArray[np.int64]) -> Column:
    return pa.array(milliseconds, pa.int64()).cast(TIME)


def _reasons(rows: Iterable[Sequence[Reason]]) -> Column:
    return _lists(rows, _REASON)


def _evidence(rows: Iterable[Sequence[Evidence]]) -> Column:
    return _lists(rows, _EVIDENCE)


def _lists(rows: Iterable[Sequence[msgspec.Struct]], item: pa.StructType) -> Column:
    kept = list(rows)
    ends = [0, *accumulate(map(len, kept))]
    columns = list(zip(*map(msgspec.structs.astuple, chain.from_iterable(kept)), strict=True)) or [()] * len(item)
    parts = [pa.array(column, field.type) for column, field in zip(columns, item, strict=True)]
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.StructArray.from_arrays(parts, fields=list(item)))
