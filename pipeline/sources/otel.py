"""OpenTelemetry GenAI spans and log records."""

import re
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from typing import Any, Final

from pipeline.sources.content import fingerprints, texts_of, withheld_bytes, withhold
from pipeline.sources.field_map import coerce, field_map
from pipeline.sources.otlp import flat_records
from pipeline.sources.reader import Fields, NotACallError, Record, between, status_of
from pipeline.sources.timestamps import parse_time

#: Attributes that hold the input of a call, newest convention first, and system instructions.
_PROMPTS: Final = ("gen_ai.input.messages", "gen_ai.prompt", "llm.prompts", "input.value", "gen_ai.request.messages")
_SYSTEM: Final = ("gen_ai.system_instructions", "gen_ai.system.message", "llm.system_prompt")
#: One attribute per part of a message: OpenLLMetry's, and OpenInference's.
_INDEXED: Final = re.compile(
    r"(?:gen_ai\.prompt|llm\.prompts)\.(\d{1,6})\.(role|content)"
    r"|llm\.input_messages\.(\d{1,6})\.message\.(?:(role|content)|contents\.\d{1,6}\.message_content\.(text))"
)
#: Events of old conventions that carry messages, on spans or as log records of their own.
_MESSAGE_EVENTS: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CONTENT_EVENTS: Final = frozenset(
    {*_MESSAGE_EVENTS, "gen_ai.choice", "gen_ai.content.prompt", "gen_ai.content.completion"}
)
_OPERATION_DETAILS: Final = "gen_ai.client.inference.operation.details"
_USAGE: Final = ("input_tokens", "output_tokens")
_FAILED: Final = ("2", "ERROR", "STATUS_CODE_ERROR", "Error")
_MARKS: Final = ("gen_ai.", "llm.")


class OpenTelemetry:
    """Reads OTLP/JSON and what exporters print; the attributes of the resource stand below those of the span.

    A call seen as a span and again as a log record has one event_id, made of the trace's and the span's.
    """

    def __init__(self, zone: tzinfo, account_attribute: str | None) -> None:
        self._zone = zone
        self._map = field_map("otel").with_account(account_attribute)
        self._not_calls = frozenset(self._map.tables["not_calls"]["operations"])

    def records(self, document: object) -> Iterator[object]:
        """The spans and log records of a document, flattened."""
        return flat_records(document)

    def fields(self, record: Record) -> Fields:
        """The call of one flattened span or log record."""
        attributes = record.get("attributes")
        if not isinstance(attributes, dict):
            attributes = {}
        name = record.get("name")
        name = attributes.get("event.name") or (name if isinstance(name, str) else "")
        self._check_is_call(attributes, name)
        fields = self._map.read(attributes)
        start = parse_time(record.get("start"), self._zone)
        fields["ts"] = start
        fields["latency_ms"] = between(start, parse_time(record.get("end"), self._zone))
        fields["ttft_ms"] = self._first_token(attributes)
        fields["event_id"] = _event_id(record, attributes)
        if name == _OPERATION_DETAILS:
            fields.setdefault("operation", "chat")
        self._outcome(record, attributes, fields)
        fields.update(fingerprints(*_texts(attributes, record.get("events"), record.get("body"))))
        return fields

    def kept(self, record: object) -> bytes:
        """The flattened record without its texts."""
        if not isinstance(record, dict):
            return withhold(record, frozenset())
        attributes = record.get("attributes")
        named = {key: value for key, value in record.items() if key not in ("attributes", "events", "body")}
        if isinstance(attributes, dict):
            named.update(attributes)
        return withhold(named, self._map.known)

    def kept_unread(self, raw: bytes) -> bytes:
        """Nothing but the length, since the bytes may be of a prompt."""
        return withheld_bytes(raw)

    def _check_is_call(self, attributes: Record, name: object) -> None:
        if isinstance(name, str) and name in _CONTENT_EVENTS:
            raise NotACallError(f"{name} carries a message of a call, not a call")
        if not any(isinstance(key, str) and key.startswith(_MARKS) for key in attributes):
            raise NotACallError("it has no gen_ai or llm attribute")
        for place in self._map.fields["operation"]:
            operation = attributes.get(place)
            if isinstance(operation, str) and operation in self._not_calls:
                raise NotACallError(f"{operation} wraps calls, and would count their tokens twice")
        if name == _OPERATION_DETAILS:
            return
        for field in ("operation", "model", *_USAGE):
            if any(attributes.get(place) is not None for place in self._map.fields[field]):
                return
        raise NotACallError("it names no operation, no model and no tokens")

    def _first_token(self, attributes: Record) -> object:
        # Both are seconds.
        for name in ("gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"):
            seconds = coerce("ttft_ms", attributes.get(name))
            if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
                return seconds * 1000
        return None

    def _outcome(self, record: Record, attributes: Record, fields: Fields) -> None:
        error = fields.get("error_type")
        failed = str(record.get("status_code")) in _FAILED
        if error is None and failed:
            fields["error_type"] = "error"
        if not isinstance(fields.get("status"), int):
            fields["status"] = status_of(error) or (500 if failed or error is not None else None)


def _event_id(record: Record, attributes: Record) -> str | None:
    trace, span = record.get("trace_id"), record.get("span_id")
    if isinstance(trace, str) and isinstance(span, str) and trace.strip("0x") and span.strip("0x"):
        return f"{trace.removeprefix('0x')}-{span.removeprefix('0x')}"
    response = attributes.get("gen_ai.response.id")
    return response if isinstance(response, str) and response else None


def _texts(attributes: Record, events: object, body: object) -> tuple[str | None, str | None]:
    prompt: str | None = None
    system: str | None = None
    for name in _PROMPTS:
        if attributes.get(name):
            prompt, system = texts_of(attributes[name])
            break
    else:
        messages = list(_indexed(attributes)) or list(_of_events(events))
        if messages:
            prompt, system = texts_of(messages)
        elif isinstance(body, dict) and (body.get("gen_ai.input.messages") or body.get("messages")):
            prompt, system = texts_of(body.get("gen_ai.input.messages") or body.get("messages"))
    for name in _SYSTEM:
        if system is None and attributes.get(name):
            system = texts_of(attributes[name])[0]
    return prompt, system


def _indexed(attributes: Record) -> Iterable[dict[str, Any]]:
    messages: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        found = _INDEXED.fullmatch(name) if isinstance(name, str) else None
        if found is not None:
            part = found[2] or found[4] or "text"
            message = messages.setdefault(int(found[1] or found[3]), {})
            if part == "text":
                message.setdefault("parts", []).append(value)
            else:
                message[part] = value
    return (messages[index] for index in sorted(messages))


def _of_events(events: object) -> Iterator[dict[str, Any]]:
    for event in events if isinstance(events, list) else ():
        if not isinstance(event, dict) or not isinstance(event.get("attributes"), dict):
            continue
        name, attributes = event.get("name"), event["attributes"]
        if name in ("gen_ai.content.prompt", _OPERATION_DETAILS):
            prompt, system = texts_of(attributes.get("gen_ai.input.messages") or attributes.get("gen_ai.prompt"))
            yield {"role": "system", "content": system}
            yield {"role": "user", "content": prompt}
        elif isinstance(name, str) and name in _MESSAGE_EVENTS:
            yield {"role": _MESSAGE_EVENTS[name], "content": attributes.get("content")}
