"""What stands before every request: names, sign-in, forgery, read-only mode; and the headers of every answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from pipeline.console.context import CONTEXT, Context
from pipeline.console.reading import BusyError
from pipeline.console.sign_in import TooManyAttemptsError, same
from pipeline.store.errors import (
    READONLY,
    TIMEOUT_EXCEEDED,
    QueryError,
    StoreError,
    StoreHeldError,
    StoreUnreachableError,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CSRF_HEADER = "X-Stillwatch-Csrf"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_SAFE = frozenset({"GET", "HEAD"})
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_log = logging.getLogger(__name__)


def cookie_name(request: web.Request) -> str:
    """Cookies know no ports, so that of each console has another name."""
    name, _, port = request.host.rpartition(":")
    return f"stillwatch_{port}" if name and port.isdecimal() else "stillwatch"


def problem(status: int, text: str) -> web.Response:
    """An error as JSON: one line."""
    body = msgspec.json.encode({"error": " ".join(text.split())})
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8")


async def add_headers(request: web.Request, answer: web.StreamResponse) -> None:
    """Put the headers of safety on every answer, errors included."""
    answer.headers.update(_HEADERS)
    if request.path.startswith("/api/"):
        answer.headers["Cache-Control"] = "no-store"


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line for whatever goes wrong."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return problem(error.status, error.reason)
    except msgspec.MsgspecError as error:
        return problem(400, f"the request is not as it must be: {error}")
    except TooManyAttemptsError as error:
        answer = problem(429, str(error))
        answer.headers["Retry-After"] = str(max(1, round(error.wait_s)))
        return answer
    except StoreError as error:
        return problem(*_store_problem(error))
    except Exception as error:
        # The text may hold what an event holds, so only the kind is told; the log has where it was.
        _log.exception("console: %s %s failed", request.method, request.path)
        return problem(500, f"unexpected {type(error).__name__}: see what the console wrote to its standard error")


def _store_problem(error: StoreError) -> tuple[int, str]:
    if isinstance(error, (StoreHeldError, StoreUnreachableError, BusyError)):
        return 503, str(error)
    if isinstance(error, QueryError):
        if error.code == TIMEOUT_EXCEEDED:
            return 504, "the store took too long: choose a shorter time or fewer days"
        if error.code == READONLY:
            return 409, "the store can only be read here: a worker holds it; record this when it has stopped"
    return 502, str(error)


@web.middleware
async def known_names(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only to this console's names: a page elsewhere whose name is turned to this address (DNS rebinding) has another."""
    name = _hostname(f"//{request.host}")
    bracketed = f"[{name}]" if name and ":" in name else name
    if bracketed not in LOOPBACK | request.app[CONTEXT].allowed_hosts:
        return problem(403, "this console is not known by that name: add it with --allow-host")
    return await handler(request)


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


@web.middleware
async def signed_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nothing of the API be asked without a session or the token, and nothing be written by another site."""
    context = request.app[CONTEXT]
    if not request.path.startswith("/api/"):
        return await handler(request)
    if request.method not in _SAFE and not _of_this_site(request):
        return problem(403, "refused: the request comes from another site")
    if request.path == "/api/session":
        return await handler(request)
    by_token = _by_token(request, context)
    session = context.sign_in.session(request.cookies.get(cookie_name(request)))
    if session is None and not by_token:
        return problem(401, "sign in first: open the link that `stillwatch console` printed, or give its token")
    if request.method not in _SAFE:
        if not by_token and (session is None or not same(request.headers.get(CSRF_HEADER, ""), session.csrf)):
            return problem(403, "refused: the request does not carry this session's mark; load the page again")
        if context.read_only:
            return problem(403, "this console is read only: start it without --read-only")
    return await handler(request)


def _by_token(request: web.Request, context: Context) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # No browser sends this header by itself, so it needs no mark against forgery.
    return scheme == "Bearer" and context.sign_in.is_token(token.strip(), request.remote or "")


def _of_this_site(request: web.Request) -> bool:
    # JSON, so that no form can send it; and the browser's own word for where it comes from.
    if request.content_type != "application/json":
        return False
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Authorization", "").startswith("Bearer ")
    return origin in (f"http://{request.host}", f"https://{request.host}")
