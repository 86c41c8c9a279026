"""Signing in and out."""

from __future__ import annotations

import msgspec
from aiohttp import web

from pipeline.console.context import CONTEXT
from pipeline.console.guard import cookie_name
from pipeline.console.requests import answer, sent
from pipeline.console.sign_in import Session


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of who signs in."""

    token: str


async def who(request: web.Request) -> web.Response:
    """Whether this browser is signed in, and what it may do."""
    context = request.app[CONTEXT]
    session = context.sign_in.session(request.cookies.get(cookie_name(request)))
    return answer(_told(session, context.read_only))


async def begin(request: web.Request) -> web.Response:
    """Exchange the token for a cookie that scripts cannot read and other sites cannot send."""
    context = request.app[CONTEXT]
    said = await sent(request, Token)
    if not context.sign_in.is_token(said.token, request.remote or ""):
        raise web.HTTPUnauthorized(reason="that is not this console's token: it was printed when the console started")
    secret, session = context.sign_in.begin()
    response = answer(_told(session, context.read_only))
    response.set_cookie(cookie_name(request), secret, httponly=True, samesite="Strict", path="/", secure=request.secure)
    return response


async def end(request: web.Request) -> web.Response:
    """Sign out."""
    context = request.app[CONTEXT]
    context.sign_in.end(request.cookies.get(cookie_name(request)))
    response = answer(_told(None, context.read_only))
    response.del_cookie(cookie_name(request), path="/")
    return response


def _told(session: Session | None, read_only: bool) -> dict[str, object]:
    if session is None:
        return {"signed_in": False}
    return {"signed_in": True, "csrf": session.csrf, "read_only": read_only, "ends_at": int(session.ends_at * 1000)}
