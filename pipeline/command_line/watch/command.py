"""The command: a frame every few seconds until Ctrl-C, or one."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Rates of events that are shown as bars.
_RATES = 60
#: Between the two looks of which a single frame is made.
_GLANCE_S = 1.0
#: The store is asked no more often.
_FINDINGS_EVERY_S = 5.0


def watch(
    *,
    worker: Annotated[tuple[str, ...], Parameter(name="--worker", negative=())] = (),
    every: Annotated[float, Parameter(name="--every")] = 2.0,
    limit: Annotated[int, Parameter(name="--limit")] = 8,
    run_id: Annotated[str, Parameter(name="--run-id")] = "live",
    once: Annotated[bool, Parameter(name="--once", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Watch the stream and what it finds, live: rates, lag, rejects, checkpoints, accounts at risk, new incidents.

    Ctrl-C ends it. Into a pipe or a file it prints one frame, as with --once.

    Parameters
    ----------
    worker
        Address of a worker's web pages, such as http://127.0.0.1:6066; may be repeated. The settings' web port by default.
    every
        Seconds between two frames.
    limit
        Most accounts and most incidents shown.
    run_id
        live, or the name that the worker writes its rows under.
    once
        Print one frame and end.
    """
    if every < 0.2 or limit < 1:
        raise Misuse("watch: --every is 0.2 s or more, --limit 1 or more")
    options = common or Common()
    settings = options.settings()
    stream = settings.stream
    addresses = [address.rstrip("/") for address in worker] or [f"http://{stream.web_host}:{stream.web_port}"]
    for address in addresses:
        if not address.startswith(("http://", "https://")):
            raise Misuse(f"--worker {address!r} is not an address such as http://127.0.0.1:6066")
    frames = _frames(options, addresses, run_id, limit)
    single = once or not sys.stdout.isatty()
    from rich.console import Console

    if single:
        next(frames)
        time.sleep(_GLANCE_S)
        Console(width=None if sys.stdout.isatty() else 160).print(next(frames))
        return 0
    from rich.live import Live

    try:
        with Live(next(frames), console=Console(), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(next(frames), refresh=True)
    except KeyboardInterrupt:
        return 0


def _frames(options: Common, addresses: list[str], run_id: str, limit: int) -> Iterator[RenderableType]:
    """One frame after the other. Raises `Failure` when there has never been anything to show."""
    from pipeline.command_line.connect import store_of
    from pipeline.command_line.watch.findings import read_findings
    from pipeline.command_line.watch.frame import frame
    from pipeline.command_line.watch.pages import rate, read_workers
    from pipeline.store.address import parse_address
    from pipeline.stream.metrics import RECEIVED

    settings = options.settings()
    embedded = parse_address(settings.store.address).folder is not None
    rates: deque[float] = deque(maxlen=_RATES)
    before = findings = None
    asked_at = float("-inf")
    while True:
        now = read_workers(addresses)
        found = rate(before, now, RECEIVED)
        if found is not None:
            rates.append(found)
        # An embedded store is only asked beside a worker, which holds it: alone, this would keep one from starting.
        if time.monotonic() - asked_at >= _FINDINGS_EVERY_S and (now.answered or not embedded or before is None):
            findings = read_findings(lambda: store_of(options), settings, run_id, limit=limit)
            asked_at = time.monotonic()
        if before is None and not now.answered and findings and findings.trouble and not findings.incidents:
            raise Failure(f"no worker answers at {', '.join(addresses)}, and {findings.trouble}")
        yield frame(before, now, tuple(rates), findings, at=datetime.now(UTC))
        before = now
