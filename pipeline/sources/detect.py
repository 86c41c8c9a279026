"""Which format an input has, and where its records end, from its first bytes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from pipeline.sources.apigateway import COMMON_LOG
from pipeline.sources.field_map import fold
from pipeline.sources.framing import ENVELOPE, documents, lines

#: As much of an input as is looked at, unless less tells.
LOOK: Final = 1 << 16
_RECORDS: Final = 20
_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"

_decoder = msgspec.json.Decoder()

_CLOUDTRAIL: Final = ("eventSource", "eventName")
_OTEL_BATCH: Final = ("resourceSpans", "resourceLogs", "resource_spans", "resource_logs", "scopeSpans", "scopeLogs")
_OTEL_TIMES: Final = (
    *("traceId", "trace_id", "context", "spanId", "span_id", "startTimeUnixNano", "start_time_unix_nano"),
    *("timeUnixNano", "start_time", "severity_number", "severityNumber"),
)
_NATIVE: Final = ("account_id", "event_id")
_GATEWAY_IDS: Final = frozenset({"requestid", "extendedrequestid", "contextrequestid"})
_GATEWAY_SIGNS: Final = frozenset({"requesttime", "requesttimeepoch", "resourcepath", "routekey", "httpmethod"})
# For a record so long that its end is not among the first bytes.
_MARKS: Final = (
    ("otel", (b'"resourceSpans"', b'"resourceLogs"')),
    ("cloudtrail", (b'"eventSource"', b'"Records"')),
    ("litellm", (b'"call_type"', b'"standard_logging_object"', b'"model_map_information"')),
    ("otel", (b'"gen_ai.', b'"startTimeUnixNano"')),
    ("native", (b'"account_id"',)),
)


def enough(head: bytes) -> bool:
    """Whether `head` tells the format, so that a slow pipe need not fill up first."""
    if len(head) >= LOOK:
        return True
    line, newline, _ = head.removeprefix(_BOM).lstrip(_BLANK).partition(b"\n")
    return bool(newline) and (line[:1] not in (b"{", b"[") or _is_document(line))


def without_bom(head: bytes) -> bytes:
    """`head` without a byte order mark."""
    return head.removeprefix(_BOM)


def is_json(head: bytes) -> bool:
    """Whether the input starts as JSON objects or arrays do."""
    return head.removeprefix(_BOM).lstrip(_BLANK)[:1] in (b"{", b"[")


def is_by_lines(head: bytes) -> bool:
    """Whether a JSON input has one document on each line; otherwise its documents take any layout.

    It has where its first line is an object, and where that line is too long to tell but opens no envelope.
    """
    text = head.removeprefix(_BOM).lstrip(_BLANK)
    line, newline, _ = text.partition(b"\n")
    if text[:1] == b"[":
        return False
    if _is_document(line):
        return True
    if ENVELOPE.match(text):
        return False
    # A pretty-printed document breaks after its opening bracket or within its first member; a broken line does not
    # parse either, but does not end where a line of a layout ends.
    return bool(text) and (not newline or not line.rstrip().endswith((b"{", b"[", b",")))


def batches_on_lines(head: bytes) -> bool:
    """Whether the lines of a JSON input are envelopes, which hold many records and so may be long."""
    return ENVELOPE.match(head.removeprefix(_BOM).lstrip(_BLANK)) is not None


def recognise(head: bytes, *, csv_mapped: bool) -> str | None:
    """The name of the format that the first bytes of an input show, None where they show none.

    JSON is known by the keys of its first records, the common log format by its first line. What else is text is CSV, but
    only where a map says what its columns mean.
    """
    if is_json(head):
        envelope = ENVELOPE.match(head.removeprefix(_BOM).lstrip(_BLANK))
        if envelope is not None:
            return "cloudtrail" if envelope[1] == b"Records" else "otel"
        records = list(_first_records(head))
        if records:
            return next((name for record in records if (name := _format_of(record)) is not None), None)
        return next((name for name, marks in _MARKS if any(mark in head for mark in marks)), None)
    line = head.removeprefix(_BOM).lstrip(_BLANK).partition(b"\n")[0]
    if COMMON_LOG.fullmatch(line):
        return "apigateway"
    return "csv" if csv_mapped and is_text(line) else None


def is_text(head: bytes) -> bool:
    """Whether the first bytes are text in UTF-8."""
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) - error.start < 4 and error.reason == "unexpected end of data"
    return True


def _first_records(head: bytes) -> Iterable[Mapping[str, Any]]:
    text = head.removeprefix(_BOM)
    pieces = lines(_once(text), LOOK) if is_by_lines(head) else documents(_once(text), LOOK, LOOK)
    for (_, raw, fault), _ in zip(pieces, range(_RECORDS), strict=False):
        if fault is not None:
            continue
        try:
            document = _decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        for record in document[:_RECORDS] if isinstance(document, list) else (document,):
            if isinstance(record, dict):
                yield record


def _format_of(record: Mapping[str, Any]) -> str | None:
    if "account_id" in record and ("event_id" in record or "ts" in record):
        return "native"
    if isinstance(record.get("Records"), list) or all(key in record for key in _CLOUDTRAIL):
        return "cloudtrail"
    if isinstance(record.get("detail"), dict) and "eventName" in record["detail"]:
        return "cloudtrail"
    if _is_otel(record):
        return "otel"
    if "standard_logging_object" in record or (
        "call_type" in record and ("startTime" in record or "metadata" in record)
    ):
        return "litellm"
    keys = {fold(key) for key in record}
    if keys & _GATEWAY_IDS and keys & _GATEWAY_SIGNS:
        return "apigateway"
    return "native" if any(key in record for key in _NATIVE) else None


def _is_otel(record: Mapping[str, Any]) -> bool:
    if any(isinstance(record.get(key), list) for key in _OTEL_BATCH):
        return True
    if isinstance(record.get("attributes"), (dict, list)) and any(key in record for key in _OTEL_TIMES):
        return True
    # An element of an OTLP envelope, or attributes beside the span's own keys.
    return any(key.startswith(("gen_ai.", "llm.")) for key in record)


def _is_document(line: bytes) -> bool:
    try:
        return isinstance(_decoder.decode(line), (dict, list))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def _once(data: bytes) -> Callable[[], bytes]:
    waiting = [data]
    return lambda: waiting.pop() if waiting else b""
