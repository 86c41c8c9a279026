"""The console's web server."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from pipeline.console import accounts, campaigns, guard, health, incidents, live, replays, session
from pipeline.console.context import CONTEXT, Context
from pipeline.console.files import add_files
from pipeline.console.live import Pulse
from pipeline.console.reading import Access
from pipeline.console.sign_in import SESSION_S, SignIn
from pipeline.console.stream_health import StreamHealth
from pipeline.settings import Settings
from pipeline.store.address import parse_address
from pipeline.store.client import Store

#: The longest request line and body. Ids of 256 characters of any script fit, and so do notes.
_LONGEST_LINE, _LARGEST_BODY = 256 << 10, 64 << 10
_QUESTIONS: tuple[tuple[str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("runs", accounts.runs),
    ("accounts", accounts.ranking),
    ("account", accounts.account),
    ("account/series", accounts.series),
    ("account/links", accounts.links),
    ("search", accounts.search),
    ("incidents", incidents.incidents),
    ("suppressions", incidents.suppressions),
    ("campaigns", campaigns.campaigns),
    ("campaign", campaigns.campaign),
    ("health", health.health),
    ("replays", replays.replays),
)
_CHANGES = (
    ("triage", incidents.triage),
    ("labels", incidents.label),
    ("suppressions", incidents.suppress),
    ("suppressions/lift", incidents.lift_suppression),
)


class ConsoleError(Exception):
    """The console cannot be served; the text is one line."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How the console is served."""

    token: str
    host: str = "127.0.0.1"
    port: int = 8600
    read_only: bool = False
    worker: str = ""
    """Address of a worker's page, or empty for none."""
    allowed_hosts: frozenset[str] = frozenset()
    session_s: float = SESSION_S


def build(open_store: Callable[[], Store], settings: Settings, serving: Serving) -> web.Application:
    """The application; to be called within an event loop."""
    access = Access(open_store, read_only=serving.read_only)
    context = Context(
        access=access,
        sign_in=SignIn(serving.token, time.time, serving.session_s),
        pulse=Pulse(access, parse_address(settings.store.address).database),
        stream=StreamHealth(serving.worker),
        settings=settings,
        read_only=serving.read_only,
        allowed_hosts=serving.allowed_hosts,
    )
    app = web.Application(middlewares=[guard.errors, guard.known_names, guard.signed_in], client_max_size=_LARGEST_BODY)
    app[CONTEXT] = context
    app.on_response_prepare.append(guard.add_headers)
    app.router.add_get("/api/session", session.who)
    app.router.add_post("/api/session", session.begin)
    app.router.add_delete("/api/session", session.end)
    app.router.add_get("/api/live", _live)
    for name, question in _QUESTIONS:
        app.router.add_get(f"/api/{name}", question)
    for name, change in _CHANGES:
        app.router.add_post(f"/api/{name}", change)
    add_files(app)
    app.on_startup.append(_start)
    app.on_shutdown.append(_stop)
    app.on_cleanup.append(_close)
    return app


async def _live(request: web.Request) -> web.StreamResponse:
    return await live.stream(request, request.app[CONTEXT], request.cookies.get(guard.cookie_name(request)))


async def _start(app: web.Application) -> None:
    await app[CONTEXT].access.open()
    app[CONTEXT].stream.start()


async def _stop(app: web.Application) -> None:
    app[CONTEXT].pulse.stop()
    await app[CONTEXT].stream.stop()


async def _close(app: web.Application) -> None:
    app[CONTEXT].access.close()


def runner_of(app: web.Application) -> web.AppRunner:
    """What runs the application: nothing of a request is logged, and a request line may be long."""
    return web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=1.0,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    )


def serve(open_store: Callable[[], Store], settings: Settings, serving: Serving, ready: Callable[[int], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` gets the port. Raises `ConsoleError` or `StoreError`, one line."""
    asyncio.run(_serve(open_store, settings, serving, ready))


async def _serve(
    open_store: Callable[[], Store], settings: Settings, serving: Serving, ready: Callable[[int], None]
) -> None:
    runner = runner_of(build(open_store, settings, serving))
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, serving.host, serving.port).start()
        except OSError as error:
            raise ConsoleError(
                f"console: {serving.host}:{serving.port} cannot be listened on: "
                f"{error.strerror or error}: give another --port or --host"
            ) from None
        ready(runner.addresses[0][1])
        await ended.wait()
    finally:
        await runner.cleanup()
