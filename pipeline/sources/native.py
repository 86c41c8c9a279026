"""Native events: one JSON object a line, as `schemas/api_call/` defines it. The lean path, since replays read gigabytes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pipeline.event import (
    FIELDS,
    ApiCall,
    CallLine,
    Rejected,
    RejectReason,
    decode_lines,
    decode_many,
    from_mapping,
    rejected,
)
from pipeline.sources.content import without_content
from pipeline.sources.framing import Piece
from pipeline.sources.options import SourceOptions

_KNOWN: Final = frozenset(FIELDS)

_decoder = msgspec.json.Decoder()


def native_calls(
    blocks: Iterable[Sequence[Piece]], options: SourceOptions, name: str, *, as_lines: bool
) -> Iterator[ApiCall | CallLine | Rejected]:
    """The events of `blocks` of pieces; a rejected record is kept whole unless it has fields that hold content.

    With `as_lines` they come in their own bytes where nothing has to be left out or mended.
    """
    received_at, limits = options.received_at, options.limits
    for block in blocks:
        raws = [raw for _, raw, fault in block if fault is None]
        decoded: Sequence[ApiCall | CallLine | Rejected]
        if as_lines:
            decoded = decode_lines(raws, received_at=received_at, limits=limits)
        else:
            decoded = decode_many(raws, received_at=[received_at] * len(raws), limits=limits)
        results = iter(decoded)
        if len(raws) == len(block) and not any(isinstance(one, Rejected) for one in decoded):
            yield from results
            continue
        for line, raw, fault in block:
            if fault is None:
                call = next(results)
                if not isinstance(call, Rejected):
                    yield call
                    continue
                if options.account is not None and call.reason is RejectReason.MISSING_FIELD:
                    mended = _with_account(raw, options, call)
                    if not isinstance(mended, Rejected):
                        yield mended
                        continue
                    call = mended
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
