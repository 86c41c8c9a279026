"""Native events: one JSON object a line, as `schemas/api_call/` defines it. The lean path, since replays read gigabytes."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pipeline.event import FIELDS, ApiCall, Rejected, RejectReason, decode, from_mapping, rejected
from pipeline.sources.content import is_content, withheld_bytes, without_content
from pipeline.sources.framing import Piece
from pipeline.sources.options import SourceOptions

_KNOWN: Final = frozenset(FIELDS)

_decoder = msgspec.json.Decoder()


def native_calls(
    pieces: Iterable[Piece], options: SourceOptions, name: str, *, recognised: bool = True
) -> Iterator[ApiCall | Rejected]:
    """The events of `pieces`. Where the format was not `recognised`, rejected records keep no text at all."""
    received_at, limits = options.received_at, options.limits
    for line, raw, fault in pieces:
        if fault is None:
            call = decode(raw, received_at=received_at, limits=limits)
            if isinstance(call, Rejected) and options.account is not None and call.reason is RejectReason.MISSING_FIELD:
                call = _with_account(raw, options, call)
            if not isinstance(call, Rejected):
                if call.attributes:
                    _drop_content(call)
                yield call
                continue
            reason, detail = call.reason, call.detail
        else:
            reason, detail = fault.reason, fault.detail
        kept = without_content(raw, _KNOWN) if recognised else withheld_bytes(raw)
        yield rejected(reason, detail, kept, received_at, f"{name}:{line}")


def _with_account(raw: bytes, options: SourceOptions, call: Rejected) -> ApiCall | Rejected:
    try:
        document = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return call
    if not isinstance(document, dict) or document.get("account_id") is not None:
        return call
    document["account_id"] = options.account
    return from_mapping(document, raw, received_at=options.received_at, limits=options.limits)


def _drop_content(call: ApiCall) -> None:
    # Unknown fields became attributes: whoever logs messages beside the event must not have them stored.
    names = [name for name in call.attributes if is_content(name)]
    for name in names:
        del call.attributes[name]
