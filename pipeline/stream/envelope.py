"""How a rejected event travels on the topic `api-calls.rejected`: one JSON object.

The worker reads the topic back and writes the table `rejected_events` from it, so that what ingest rejects and what the
worker rejects take the same road, once.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

import msgspec

from pipeline.event import RAW_LIMIT, Rejected, RejectReason, rejected


class Envelope(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The JSON object. `raw` is the event as it came, up to 64 KiB, as text or, where it is not UTF-8, as base64."""

    reason: RejectReason
    detail: str
    received_at: int
    source: str = ""
    topic: str = ""
    partition: int = -1
    offset: int = -1
    raw: str = ""
    raw_encoding: Literal["text", "base64"] = "text"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def pack(event: Rejected) -> bytes:
    """The record's value for `event`."""
    raw = event.raw[:RAW_LIMIT]
    encoding: Literal["text", "base64"] = "text"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(raw).decode(), "base64"
    return _encoder.encode(
        Envelope(
            reason=event.reason,
            detail=event.detail,
            received_at=event.received_at,
            source=event.source,
            topic=event.topic,
            partition=event.partition,
            offset=event.offset,
            raw=text,
            raw_encoding=encoding,
        )
    )


def unpack(value: bytes, *, received_at: int, topic: str, partition: int, offset: int) -> Rejected:
    """The event in a record's value; a value that is no envelope is itself kept as a rejected event from this place."""
    try:
        envelope = _decoder.decode(value)
        raw = (
            base64.b64decode(envelope.raw, validate=True)
            if envelope.raw_encoding == "base64"
            else envelope.raw.encode()
        )
    except (msgspec.DecodeError, UnicodeError, RecursionError, binascii.Error) as error:
        stray = rejected(
            RejectReason.MALFORMED_JSON, f"not an envelope of a rejected event: {error}", value, received_at
        )
        return msgspec.structs.replace(stray, topic=topic, partition=partition, offset=offset)
    return Rejected(
        reason=envelope.reason,
        detail=envelope.detail,
        raw=raw,
        received_at=envelope.received_at,
        source=envelope.source,
        topic=envelope.topic,
        partition=envelope.partition,
        offset=envelope.offset,
    )
