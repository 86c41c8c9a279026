"""Takes a source through the engines: alone or with other processes, with checkpoints, until its end or until stopped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from pipeline.settings import Settings
from pipeline.store.client import Store
from replay.beginning import Beginning
from replay.chunk import Chunk
from replay.crew import Alone, Crew, Processes, new_generation, shares
from replay.ledger import Ledger
from replay.shard import BATCH_EVENTS, Orders
from replay.source import Chunks, Intake

#: Events that are looked at before processes are started: for fewer it is not worth while.
HEAD_EVENTS = 100_000
_PROGRESS_EVERY_S = 0.2


@dataclass(slots=True)
class RunReport:
    """What a replay did."""

    run_id: str
    events: int = 0
    """Events that were scored."""
    duplicates: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    outside: int = 0
    windows: int = 0
    incidents: int = 0
    suppressed: int = 0
    """What would have been incidents but for a suppression."""
    campaigns: int = 0
    accounts: int = 0
    seconds: float = 0.0
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is driven; its rows do not depend on it, but for `since_ms` and `beginning`."""

    processes: int | None = None
    """Processes that run engines; None for one on each core, or none of its own for a small source."""
    since_ms: int | None = None
    """What was before is a warm-up, and not told."""
    batch_events: int = BATCH_EVENTS
    """A run that is resumed must have what it had."""
    beginning: Beginning = field(default_factory=Beginning)
    stopped: Callable[[], bool] = lambda: False
    """Asked now and then; once true the run is interrupted and can be resumed."""
    progress: Callable[[RunReport], None] | None = None
    handed: Callable[[int], None] | None = None
    """Told how many events have gone to the engines."""
    checkpoints: bool = True
    ends: Mapping[int, int] = field(default_factory=dict)
    """Event time that partitions come to after their last event, epoch milliseconds."""
    last_hour: int | None = None
    """Campaigns are looked for in the hours before this one; in all when None."""
    table: Callable[[str], str] = str
    """The table in which the rows of one go; none where they are not wanted."""


def drive(
    source: Chunks,
    intake: Intake,
    *,
    store: Store,
    settings: Settings,
    run_id: str,
    manner: Manner,
    report: RunReport,
    attempt: str = "",
) -> None:
    """Run `source` through the engines and write what they say as rows of `run_id`; counts go to `report`.

    `attempt` tells this run from an earlier one of the same name. When it was stopped it takes a checkpoint and raises
    `KeyboardInterrupt`.
    """
    _Drive(store, settings, run_id, attempt, manner, report, intake).go(source)


class _Drive:
    """One run under way."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        run_id: str,
        attempt: str,
        manner: Manner,
        report: RunReport,
        intake: Intake,
    ) -> None:
        self._manner = manner
        self._report = report
        self._intake = intake
        self._checkpoint_s = settings.stream.checkpoint_s
        self._generation = new_generation(*manner.beginning.generations)
        self._orders = Orders(settings.engine, run_id, attempt, manner.since_ms, manner.batch_events, manner.ends)
        self._ledger = Ledger(
            store, settings, self._orders, self._generation, manner.beginning, manner.last_hour, manner.table
        )
        self._saving = threading.Event()
        self._began = time.monotonic()

    def go(self, source: Chunks) -> None:
        """Take all of the source through the engines."""
        early = self._early()
        crew: Crew | None = early
        told = saved = time.monotonic()
        try:
            head, weights = _head(source, self._manner.processes)
            if early is None:
                crew = self._crew(weights)
            else:
                early.assign(shares(weights, self._report.processes))
                crew = early
            for chunk in chain(head, source):
                crew.take(chunk)
                self._ledger.keep(self._intake)
                if self._manner.handed is not None:
                    self._manner.handed(len(chunk))
                now = time.monotonic()
                if self._manner.stopped():
                    self._stop(crew)
                if self._manner.checkpoints and now - saved >= self._checkpoint_s and not self._saving.is_set():
                    saved = now
                    self._save(crew)
                if now - told >= _PROGRESS_EVERY_S:
                    told = now
                    self._tell()
            if self._manner.stopped():
                self._stop(crew)
            crew.finish()
            self._ledger.keep(self._intake)
            self._ledger.finish()
        finally:
            if crew is not None:
                crew.close()
            self._ledger.count(self._report)

    def _early(self) -> Processes | None:
        """Processes whose number is known already: they start while the first events are read."""
        count = min(self._manner.processes or 1, self._ledger.partitions)
        if count == 1:
            return None
        self._report.processes = count
        return self._processes(count, None)

    def _processes(self, count: int, share: dict[int, int] | None) -> Processes:
        starts = self._manner.beginning.starts
        return Processes(count, share, self._orders, starts, self._generation, self._ledger.tell)

    def _crew(self, weights: dict[int, int]) -> Crew:
        starts, count = self._manner.beginning.starts, self._manner.processes
        if count is None:
            count = cores() if sum(weights.values()) >= HEAD_EVENTS else 1
        # A process has whole partitions.
        count = min(count, self._ledger.partitions)
        self._report.processes = count
        if count == 1:
            return Alone(self._orders, starts, self._generation, self._ledger.tell)
        return self._processes(count, shares(weights, count))

    def _save(self, crew: Crew) -> None:
        self._saving.set()

        def committed() -> None:
            self._ledger.commit()
            self._saving.clear()

        crew.save(committed)

    def _stop(self, crew: Crew) -> None:
        if not self._manner.checkpoints:
            raise KeyboardInterrupt
        while self._saving.is_set():
            crew.check()
        self._save(crew)
        while self._saving.is_set():
            crew.check()
        raise KeyboardInterrupt

    def _tell(self) -> None:
        if self._manner.progress is not None:
            self._ledger.count(self._report)
            self._report.seconds = time.monotonic() - self._began
            self._manner.progress(self._report)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _head(source: Chunks, processes: int | None) -> tuple[list[Chunk], dict[int, int]]:
    """The first events, by which the partitions are shared out; none for a single process."""
    head: list[Chunk] = []
    weights: dict[int, int] = {}
    total = 0
    if processes != 1:
        for chunk in source:
            head.append(chunk)
            total += len(chunk)
            weights[chunk.partition] = weights.get(chunk.partition, 0) + len(chunk)
            if total >= HEAD_EVENTS:
                break
    return head, weights
