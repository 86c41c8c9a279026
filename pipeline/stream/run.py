"""A worker process from start to exit: broker, topics, store, app, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import faust

from pipeline.event.framed import check_schemas
from pipeline.event.pseudonym import address_key
from pipeline.settings import Settings
from pipeline.store.client import Store, connect
from pipeline.store.http.offer import serve_settings
from pipeline.store.migrate import migrate, require_schema
from pipeline.stream.address import HOME, parse_address, wait_for_broker
from pipeline.stream.app import StreamApp, create_stream_app
from pipeline.stream.embedded import EmbeddedBroker, find_or_start
from pipeline.stream.logs import set_up_logging, speaker
from pipeline.stream.security import PLAINTEXT, Security, security_of
from pipeline.stream.topics import ensure_topics, topic_specs
from pipeline.stream.web import add_pages
from pipeline.stream.worker import StreamWorker

LIVE = "live"
IDLE_CHECK_S = 0.1
WATCH_S = 0.5
STOP_WITHOUT_BROKER_S = 5.0


class WorkerFailedError(RuntimeError):
    """The worker stopped by itself; the text is one line."""


def create_app(
    settings: Settings,
    store: Store,
    servers: list[str],
    *,
    run_id: str = LIVE,
    embedded: bool = False,
    security: Security = PLAINTEXT,
) -> tuple[StreamApp, StreamWorker]:
    """The Faust app with everything registered, and the worker within it; nothing is started."""
    app = create_stream_app(settings.stream, servers, embedded=embedded, security=security)
    worker = StreamWorker(app, settings, store, run_id)
    worker.register()
    add_pages(worker)
    return app, worker


def run_worker(
    settings: Settings,
    *,
    run_id: str = LIVE,
    home: Path = HOME,
    until_idle_s: float | None = None,
    debug: bool = False,
    say: Callable[[str], None] | None = None,
) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain, flush, commit, leave the group and return.

    With `until_idle_s` it also ends by itself when it has had events and none for that long. Must be called from the main
    thread, which gets the signals. Starts the embedded broker when it is asked for and none
    runs yet, and stops the one it started. An embedded store is migrated; a server's schema must be there. Raises
    `WorkerFailedError` when the worker gave up, and the errors of broker and store when they are not there in time.
    """
    set_up_logging(settings.stream.log_format, debug)
    say = say or speaker(settings.stream.log_format)
    if settings.event.hash_addresses:
        address_key(settings.event.address_key_file)
    check_schemas(settings.event.avro_schemas)
    address = parse_address(settings.stream.broker)
    patience_s = settings.stream.connect_patience_s
    security = security_of(settings.stream)
    _check_web_port(settings.stream.web_host, settings.stream.web_port)
    broker: EmbeddedBroker | None = None
    with ExitStack() as stack:
        if address.embedded:
            server, broker = find_or_start(home)
            servers = [server]
            if broker is not None:
                stack.callback(broker.stop)
        else:
            servers = list(address.servers)
            wait_for_broker(servers, patience_s, say)
        for line in ensure_topics(servers, topic_specs(settings.stream), security):
            say(line)
        store = stack.enter_context(
            connect(
                settings.store.address,
                password_file=settings.store.password_file,
                patience_s=patience_s,
                waiting=say,
                answer_timeout_s=settings.store.answer_timeout_s,
            )
        )
        (migrate if store.address.embedded else require_schema)(store)
        if store.address.embedded and settings.store.http_port:
            stack.enter_context(serve_settings(store, settings.store, say))
        app, worker = create_app(settings, store, servers, run_id=run_id, embedded=address.embedded, security=security)
        _say_when_ready(app, worker, say)
        if broker is not None:
            _watch(app, worker, broker)
        if until_idle_s is not None:
            _end_when_idle(app, worker, until_idle_s)
        _end_at_last(app, worker, say)
        _run_until_signalled(app, worker)
    if worker.failure:
        raise WorkerFailedError(worker.failure)
    if worker.unfinished:
        raise WorkerFailedError(
            f"stopped with work on {worker.unfinished} partitions that could not be finished and committed; "
            "it will be read again when a worker starts"
        )
    say("stopped; everything begun is finished and committed")


def _end_at_last(app: StreamApp, worker: StreamWorker, say: Callable[[str], None]) -> None:
    """End the process when stopping takes too long: clients can wait for ever for a broker that is gone.

    Nothing is lost by it, since only what is durable was ever committed. The kernel gives the store's folder free and
    stops the embedded broker.
    """

    def watch() -> None:
        while not app.should_stop:
            time.sleep(WATCH_S)
        time.sleep(worker.stop_patience_s)
        say(
            worker.failure
            or f"did not come to an end within {worker.stop_patience_s:g} s; what is not committed will be read again"
        )
        os._exit(1)

    threading.Thread(target=watch, name="end-at-last", daemon=True).start()


def _run_until_signalled(app: StreamApp, worker: StreamWorker) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    service = faust.Worker(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
    service.spinner = None
    try:
        service.execute_from_commandline()
    except SystemExit as ended:
        if ended.code and not worker.failure:
            reason = service.crash_reason or app.crash_reason
            worker.failure = f"the stream crashed: {reason!r}; run again with --debug to see where"
    finally:
        worker.sink.close()


def _check_web_port(host: str, port: int) -> None:
    # Faust would end with a traceback, after it has joined the group.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise WorkerFailedError(
                f"the web page cannot listen on {host}:{port} ({error.strerror}): free it, or give another --web-port"
            ) from error


def _watch(app: StreamApp, worker: StreamWorker, broker: EmbeddedBroker) -> None:
    async def watch() -> None:
        while not app.should_stop:
            await asyncio.sleep(WATCH_S)
            if not broker.running:
                # Nobody is left to commit to.
                worker.consumer.drain_patience_s = 0.0
                worker.stop_patience_s = STOP_WITHOUT_BROKER_S
                worker.fail(f"the embedded broker has ended, and what it held is gone: see {broker.log_file}")
                return

    app.task(watch)


def _say_when_ready(app: StreamApp, worker: StreamWorker, say: Callable[[str], None]) -> None:
    told = False

    async def on_ready(*_: object, **__: object) -> None:
        nonlocal told
        if not told:
            told = True
            say(
                f"worker {os.getpid()} ready: {len(app.assignor.assigned_actives())} partitions, store "
                f"{worker.settings.store.address}, http://{app.conf.web_host}:{app.conf.web_port}/health"
            )

    app.on_rebalance_complete.connect(on_ready, weak=False)


def _end_when_idle(app: StreamApp, worker: StreamWorker, idle_s: float) -> None:
    async def watch() -> None:
        # It is the passing of time that this waits for. What is not in a state yet will be when the worker stops.
        while time.monotonic() - worker.last_batch_at < idle_s or worker.busy:  # noqa: ASYNC110
            await asyncio.sleep(IDLE_CHECK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    app.task(watch)
