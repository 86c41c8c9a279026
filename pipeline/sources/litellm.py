"""LiteLLM's standard logging payloads."""

from collections.abc import Iterator
from datetime import tzinfo

from pipeline.sources.content import fingerprints, texts_of, withheld_bytes, withhold
from pipeline.sources.field_map import field_map
from pipeline.sources.reader import Fields, Record, alone_or_listed, between, status_of, time_at
from pipeline.sources.timestamps import parse_time


class LiteLLM:
    """Reads StandardLoggingPayload objects, alone, in a list, or inside a callback's arguments.

    `response_time` is never used: it is the time to the first token when streaming and the whole time otherwise.
    """

    def __init__(self, zone: tzinfo, account_attribute: str | None) -> None:
        self._zone = zone
        self._map = field_map("litellm").with_account(account_attribute)

    def records(self, document: object) -> Iterator[object]:
        """The payloads of a document."""
        for record in alone_or_listed(document):
            payload = record.get("standard_logging_object") if isinstance(record, dict) else None
            yield payload if isinstance(payload, dict) else record

    def fields(self, record: Record) -> Fields:
        """The call of one payload."""
        fields = self._map.read(record)
        start = parse_time(fields.get("ts"), self._zone)
        end = time_at(self._map, record, "endTime", self._zone)
        fields["ts"] = start
        fields["latency_ms"] = between(start, end)
        if fields.get("stream") is True:
            # LiteLLM sets completionStartTime to the end of a call that is not streamed.
            fields["ttft_ms"] = between(start, time_at(self._map, record, "completionStartTime", self._zone))
        fields.update(self._outcome(record, fields))
        parameters = record.get("model_parameters")
        if isinstance(parameters, dict):
            if "logprobs" in parameters or "top_logprobs" in parameters:
                # A truth value in chat APIs, a number of alternatives in completion APIs.
                fields["logprobs"] = bool(parameters.get("logprobs")) or bool(parameters.get("top_logprobs"))
            tools = parameters.get("tools") or parameters.get("functions")
            if isinstance(tools, list):
                fields["tools"] = len(tools)
        prompt, system = texts_of(record.get("messages"))
        instructions = parameters.get("instructions") if isinstance(parameters, dict) else None
        fields.update(fingerprints(prompt, system or texts_of(instructions)[0]))
        return fields

    def kept(self, record: object) -> bytes:
        """The payload without its texts."""
        return withhold(record, self._map.known)

    def kept_unread(self, raw: bytes) -> bytes:
        """Nothing but the length, since the bytes may be of a prompt."""
        return withheld_bytes(raw)

    def _outcome(self, record: Record, fields: Fields) -> Fields:
        if record.get("status") == "success":
            return {"status": 200, "error_type": None}
        reported = fields.get("status")
        if isinstance(reported, int) and reported > 0:
            return {}
        return {"status": status_of(fields.get("error_type")) or (500 if record.get("status") == "failure" else None)}
