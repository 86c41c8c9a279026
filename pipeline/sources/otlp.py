"""The shapes in which spans and log records come, brought to one.

OTLP/JSON nests them under resource and scope and writes attributes as typed key-value lists, 64-bit integers as text;
console exporters and trace stores write one object each. The flat form is a mapping with `trace_id`, `span_id`, `name`,
`start`, `end`, `status_code`, `attributes` (the resource's below its own), `events` and `body`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SCOPES: Final = (
    ("scopeSpans", "spans"),
    ("scope_spans", "spans"),
    ("instrumentationLibrarySpans", "spans"),  # before OTLP 0.19
    ("scopeLogs", "logRecords"),
    ("scope_logs", "log_records"),
    ("instrumentationLibraryLogs", "logRecords"),
)
_BATCHES: Final = ("resourceSpans", "resourceLogs", "resource_spans", "resource_logs")
_START: Final = (
    "startTimeUnixNano",
    "start_time_unix_nano",
    "start_time",
    "startTime",
    "timeUnixNano",
    "time_unix_nano",
    "timestamp",
    "Timestamp",
    "observedTimeUnixNano",
    "observed_timestamp",
)
_END: Final = ("endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime")
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_DEPTH: Final = 16


def flat_records(document: object) -> Iterator[object]:
    """The flat form of every span and log record of `document`; what is neither stays as it is."""
    if isinstance(document, list):
        for item in document:
            yield from flat_records(item)
        return
    if not isinstance(document, dict):
        yield document
        return
    batches = [document[key] for key in _BATCHES if isinstance(document.get(key), list)]
    if batches:
        for batch in batches:
            for entry in batch:
                yield from _of_resource(entry)
    elif any(isinstance(document.get(key), list) for key, _ in _SCOPES):
        yield from _of_resource(document)
    else:
        yield _flat(document, attributes_of(_child(document, "resource", "attributes")))


def attributes_of(listed: object) -> dict[str, Any]:
    """Attributes as a mapping, from a mapping or from OTLP's list of typed key-value pairs."""
    if isinstance(listed, dict):
        return {str(key): _plain(value) for key, value in listed.items()}
    found: dict[str, Any] = {}
    for pair in listed if isinstance(listed, list) else ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            found[pair["key"]] = _plain(pair.get("value"))
    return found


def _of_resource(entry: object) -> Iterator[object]:
    if not isinstance(entry, dict):
        yield entry
        return
    resource = attributes_of(_child(entry, "resource", "attributes"))
    for scopes, items in _SCOPES:
        listed = entry.get(scopes)
        for scope in listed if isinstance(listed, list) else ():
            records = scope.get(items) if isinstance(scope, dict) else None
            for record in records if isinstance(records, list) else ():
                yield _flat(record, resource) if isinstance(record, dict) else record


def _flat(record: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, Any]:
    own = record.get("attributes", record.get("span_attributes", record.get("SpanAttributes")))
    attributes = {**resource, **attributes_of(own)}
    if own is None:  # all in one object, attribute names as keys
        attributes.update((key, _plain(value)) for key, value in record.items() if "." in key)
    context = _child(record, "context")
    context = context if isinstance(context, dict) else {}
    status = record.get("status")
    events = record.get("events")
    return {
        "trace_id": _first(record, "traceId", "trace_id", "TraceId") or _first(context, "trace_id", "traceId"),
        "span_id": _first(record, "spanId", "span_id", "SpanId") or _first(context, "span_id", "spanId"),
        "name": _first(record, "eventName", "event_name", "name", "SpanName"),
        "start": _first(record, *_START),
        "end": _first(record, *_END),
        "status_code": _first(status, "code", "status_code") if isinstance(status, dict) else status,
        "attributes": attributes,
        "events": [
            {"name": event.get("name"), "attributes": attributes_of(event.get("attributes"))}
            for event in (events if isinstance(events, list) else ())
            if isinstance(event, dict)
        ],
        "body": _plain(record.get("body")),
    }


def _plain(value: Any, depth: int = 0) -> Any:
    """The value of an OTLP AnyValue; any other value is itself."""
    if not isinstance(value, dict) or len(value) != 1 or depth > _DEPTH:
        return value
    kind, content = next(iter(value.items()))
    match kind:
        case "stringValue" | "boolValue" | "doubleValue" | "bytesValue":
            return content
        case "intValue":
            # 64-bit integers are text in JSON.
            return int(content) if isinstance(content, str) and _INTEGER.fullmatch(content) else content
        case "arrayValue":
            return [_plain(item, depth + 1) for item in _listed(content)]
        case "kvlistValue":
            return {
                pair["key"]: _plain(pair.get("value"), depth + 1)
                for pair in _listed(content)
                if isinstance(pair, dict) and isinstance(pair.get("key"), str)
            }
        case _:
            return value


def _listed(content: object) -> list[Any]:
    values = content.get("values") if isinstance(content, dict) else None
    return values if isinstance(values, list) else []


def _child(mapping: object, *keys: str) -> Any:
    for key in keys:
        if not isinstance(mapping, dict):
            return None
        mapping = mapping.get(key)
    return mapping


def _first(mapping: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        value = mapping.get(key)
        if value not in (None, "", 0, "0"):
            return value
    return None
