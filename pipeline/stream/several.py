"""Several workers on one machine from one command: processes of one group, which share the partitions.

Each is a worker as it would be alone, with a web page of its own. The process that starts them only watches: it passes signals
on, and when one worker ends by itself it stops the others, so that whoever runs the command hears of it by its end.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from msgspec.structs import replace

from pipeline.settings import Settings
from pipeline.store.address import parse_address as parse_store_address
from pipeline.stream.address import HOME, parse_address, wait_for_broker
from pipeline.stream.embedded import die_with_parent, find_or_start
from pipeline.stream.logs import set_up_logging, speaker
from pipeline.stream.run import LIVE, WorkerFailedError, run_worker
from pipeline.stream.security import security_of
from pipeline.stream.topics import ensure_topics, topic_specs

#: Longer than a worker takes to end at last.
STOP_PATIENCE_S = 90.0
LOOK_S = 0.5


def run_workers(
    settings: Settings,
    count: int,
    *,
    run_id: str = LIVE,
    home: Path = HOME,
    debug: bool = False,
    say: Callable[[str], None] | None = None,
) -> None:
    """Run `count` workers until SIGTERM or SIGINT, then let each drain, commit and leave the group, and return.

    Their web pages are on `stream.web_port` and the ports after it; with 0 each takes a free one. Must be called from the
    main thread. Raises `WorkerFailedError` when the store is embedded, and when a worker ended by itself or not well.
    """
    if parse_store_address(settings.store.address).embedded:
        raise WorkerFailedError(
            f"{count} workers cannot share {settings.store.address}, which one process holds: name a ClickHouse server "
            "(--store clickhouse://user@host:8123/stillwatch), or run one worker"
        )
    set_up_logging(settings.stream.log_format, debug)
    say = say or speaker(settings.stream.log_format)
    with ExitStack() as stack:
        _begin_topics(settings, home, stack, say)
        context = multiprocessing.get_context("spawn")
        port = settings.stream.web_port
        workers = []
        for index in range(count):
            own = replace(settings, stream=replace(settings.stream, web_port=port + index if port else 0))
            workers.append(context.Process(target=_work, args=(own, run_id, home, debug), name=f"worker {index + 1}"))
        told: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: told.append(number))
        for worker in workers:
            worker.start()
        ended = _watch(workers, told)
        _stop(workers)
        say(f"{count} workers stopped")
    # A worker that was still starting when it was told to stop has nothing to drain, and ends by the signal.
    failed = [worker for worker in workers if worker.exitcode not in (0, -signal.SIGTERM) or worker in ended]
    if failed:
        raise WorkerFailedError(
            f"{failed[0].name} (pid {failed[0].pid}) ended with {_code(failed[0])}; the others were stopped. What was not "
            "committed will be read again"
        )


def _begin_topics(settings: Settings, home: Path, stack: ExitStack, say: Callable[[str], None]) -> None:
    # The workers find what is done here once instead of each doing it at the same time.
    address = parse_address(settings.stream.broker)
    if address.embedded:
        server, broker = find_or_start(home)
        servers = [server]
        if broker is not None:
            stack.callback(broker.stop)
    else:
        servers = list(address.servers)
        wait_for_broker(servers, settings.stream.connect_patience_s, say)
    for line in ensure_topics(servers, topic_specs(settings.stream), security_of(settings.stream)):
        say(line)


def _watch(workers: list[SpawnProcess], told: list[int]) -> list[SpawnProcess]:
    # Those that ended by themselves; none when a signal came first.
    while not told:
        wait([worker.sentinel for worker in workers], LOOK_S)
        ended = [worker for worker in workers if not worker.is_alive()]
        if ended and not told:
            return ended
    return []


def _stop(workers: list[SpawnProcess]) -> None:
    for worker in workers:
        if worker.is_alive():
            worker.terminate()
    deadline = time.monotonic() + STOP_PATIENCE_S
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.is_alive():
            worker.kill()
            worker.join()


def _code(worker: SpawnProcess) -> str:
    code = worker.exitcode or 0
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _work(settings: Settings, run_id: str, home: Path, debug: bool) -> None:
    # A group of its own: Ctrl-C in a terminal is for the process that watches, which then sends SIGTERM once.
    os.setpgrp()
    if (end_with_parent := die_with_parent()) is not None:
        end_with_parent()
    try:
        run_worker(settings, run_id=run_id, home=home, debug=debug)
    except Exception as error:
        if debug:
            raise
        print(f"stillwatch: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        sys.exit(1)
