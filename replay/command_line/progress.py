"""How far a replay is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.run import RunReport

#: Seconds between two lines where there is no terminal.
_LINE_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Show:
    """Where to tell of progress."""

    advance: Callable[[int], None]
    """So much more of the whole was read: bytes of files, events of the store."""
    update: Callable[[RunReport], None]
    """What the run has done so far."""


@contextmanager
def progress(total: int | None) -> Iterator[Show]:
    """Progress on standard error towards `total`; None where nobody knows."""
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("replay"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=total or None, counts="")
        yield Show(
            lambda count: bar.advance(task, count),
            lambda report: bar.update(task, counts=_counts(report)),
        )


def _lines(total: int | None) -> Show:
    began = told = time.monotonic()
    read = 0

    def advance(count: int) -> None:
        nonlocal read
        read += count

    def update(report: RunReport) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < _LINE_EVERY_S:
            return
        told = now
        left = ""
        if total and read:
            share = min(1.0, read / total)
            left = f", {share:.0%}, about {(now - began) * (1 - share) / share:,.0f} s left"
        print(f"replay: {_counts(report)}{left}", file=sys.stderr, flush=True)

    return Show(advance, update)


def _counts(report: RunReport) -> str:
    rate = report.events / report.seconds if report.seconds else 0.0
    return f"{report.events:,} events, {report.incidents:,} incidents, {rate:,.0f}/s"
