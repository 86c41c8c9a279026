"""Native events: one JSON object a line, as `schemas/api_call/` defines it. The lean path, since replays read gigabytes."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pipeline.event import FIELDS, ApiCall, Rejected, RejectReason, decode, from_mapping, rejected
from pipeline.sources.content import without_content
from pipeline.sources.framing import Piece
from pipeline.sources.options import SourceOptions

_KNOWN: Final = frozenset(FIELDS)

_decoder = msgspec.json.Decoder()


def native_calls(pieces: Iterable[Piece], options: SourceOptions, name: str) -> Iterator[ApiCall | Rejected]:
    """The events of `pieces`; a rejected record is kept whole unless it has fields that hold content."""
    received_at, limits = options.received_at, options.limits
    for line, raw, fault in pieces:
        if fault is None:
            call = decode(raw, received_at=received_at, limits=limits)
            if isinstance(call, Rejected) and options.account is not None and call.reason is RejectReason.MISSING_FIELD:
                call = _with_account(raw, options, call)
            if not isinstance(call, Rejected):
                yield call
                continue
            reason, detail = call.reason, call.detail
        else:
            reason, detail = fault.reason, fault.detail
        yield rejected(reason, detail, without_content(raw, _KNOWN), received_at, f"{name}:{line}")


def _with_account(raw: bytes, options: SourceOptions, call: Rejected) -> ApiCall | Rejected:
    try:
        document = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return call
    if not isinstance(document, dict) or document.get("account_id") is not None:
        return call
    document["account_id"] = options.account
    return from_mapping(document, raw, received_at=options.received_at, limits=options.limits)
