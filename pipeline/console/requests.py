"""From a request to checked values, and from values to an answer."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

T = TypeVar("T")

#: Times that DateTime64 reaches, in epoch milliseconds.
Moment = Annotated[int, Meta(ge=0, le=7_000_000_000_000)]
RunId = Annotated[str, Meta(min_length=1, max_length=256)]
#: Ids are told as they are stored; the store's are at most 256 characters, but nothing here relies on that.
Id = Annotated[str, Meta(min_length=1, max_length=20_000)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Note = Annotated[str, Meta(max_length=2000)]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a question."""

    run: RunId = "live"


def asked(request: web.Request, kind: type[T]) -> T:
    """The query's parameters; raises `msgspec.ValidationError`, which says which is wrong."""
    return msgspec.convert(dict(request.query), kind, strict=False)


async def sent(request: web.Request, kind: type[T]) -> T:
    """The JSON of the body; raises `msgspec.DecodeError` or `ValidationError`."""
    return msgspec.json.decode(await request.read(), type=kind)


def answer(value: Any, status: int = 200) -> web.Response:
    """A value as JSON; times as RFC 3339, numbers that are none as null."""
    body = msgspec.json.encode(value)
    response = web.Response(status=status, body=body, content_type="application/json", charset="utf-8")
    if len(body) > 4096:
        response.enable_compression()
    return response
