"""Drives the engines over a source and writes what they say under the run's name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import chain

import msgspec

from pipeline.settings import EngineSettings, Settings
from pipeline.store.client import Store
from pipeline.store.errors import StoreError
from pipeline.store.records import LIVE, ReplayRun, delete_run, read_runs, save_run
from replay.beginning import Beginning, forget_states
from replay.chunk import Chunk
from replay.crew import Alone, Crew, Processes, new_generation, shares
from replay.errors import ReplayError
from replay.ledger import Ledger
from replay.shard import BATCH_EVENTS, Orders
from replay.source import Chunks, Intake
from replay.window import Window

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


def replay(
    source: Chunks,
    intake: Intake,
    *,
    store: Store,
    settings: Settings,
    run: ReplayRun,
    manner: Manner | None = None,
) -> RunReport:
    """Run `source` through the engines and write the verdicts under `run.run_id`, with the run's row in `replay_runs`.

    A run that fails or is stopped keeps a row that says so; it can be resumed from its last checkpoint. Raises `ReplayError` when
    there was no event to score, and `KeyboardInterrupt` when it was stopped.
    """
    manner = manner or Manner()
    report = RunReport(run.run_id)
    save_run(store, run)
    drive = _Drive(store, settings, run, manner, report, intake)
    began = time.monotonic()
    try:
        drive.go(source)
    except BaseException as error:
        status = "interrupted" if isinstance(error, (KeyboardInterrupt, GeneratorExit)) else "failed"
        # A store that cannot be written keeps the row as it was, which does not say that the run is done.
        with suppress(StoreError):
            _finish(store, run, report, intake, began, status)
        raise
    if not report.events:
        _finish(store, run, report, intake, began, "failed")
        raise ReplayError(_nothing_to_do(run, intake))
    _finish(store, run, report, intake, began, "done")
    # There is nothing left to resume.
    forget_states(store, run.run_id)
    return report


class _Drive:
    """One run under way."""

    def __init__(
        self, store: Store, settings: Settings, run: ReplayRun, manner: Manner, report: RunReport, intake: Intake
    ) -> None:
        self._manner = manner
        self._report = report
        self._intake = intake
        self._checkpoint_s = settings.stream.checkpoint_s
        self._generation = new_generation(*manner.beginning.generations)
        attempt = f"{run.run_id}/{run.created_at}"
        self._orders = Orders(settings.engine, run.run_id, attempt, manner.since_ms, manner.batch_events)
        self._ledger = Ledger(store, settings, self._orders, self._generation, manner.beginning)
        self._saving = threading.Event()
        self._began = time.monotonic()

    def go(self, source: Chunks) -> None:
        """Take all of the source through the engines."""
        head, weights = _head(source, self._manner.processes)
        crew = self._crew(weights)
        told = saved = time.monotonic()
        try:
            for chunk in chain(head, source):
                crew.take(chunk)
                self._ledger.keep(self._intake)
                if self._manner.handed is not None:
                    self._manner.handed(len(chunk))
                now = time.monotonic()
                if self._manner.stopped():
                    self._stop(crew)
                if now - saved >= self._checkpoint_s and not self._saving.is_set():
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
            crew.close()
            self._ledger.count(self._report)

    def _crew(self, weights: dict[int, int]) -> Crew:
        starts, count = self._manner.beginning.starts, self._manner.processes
        if count is None:
            count = cores() if sum(weights.values()) >= HEAD_EVENTS else 1
        # A process has whole partitions.
        count = min(count, self._ledger.partitions)
        self._report.processes = count
        if count == 1:
            return Alone(self._orders, starts, self._generation, self._ledger.tell)
        return Processes(count, shares(weights, count), self._orders, starts, self._generation, self._ledger.tell)

    def _save(self, crew: Crew) -> None:
        self._saving.set()

        def committed() -> None:
            self._ledger.commit()
            self._saving.clear()

        crew.save(committed)

    def _stop(self, crew: Crew) -> None:
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


def claim(
    store: Store,
    run_id: str,
    source: str,
    window: Window,
    settings: EngineSettings,
    *,
    overwrite: bool,
    plan: str = "",
) -> ReplayRun:
    """The row of a new run; `plan` is what it needs to be resumed.

    Raises `ReplayError` when the name is taken and not to be overwritten.
    """
    if run_id == LIVE:
        raise ReplayError(f"--run-id {LIVE} is the stream's; choose another")
    if not 1 <= len(run_id) <= 128 or not run_id.isprintable():
        raise ReplayError("--run-id must be 1 to 128 printable characters")
    if any(run.run_id == run_id for run in read_runs(store)):
        if not overwrite:
            raise ReplayError(f"run {run_id} exists: choose another --run-id, or give --overwrite to replace it")
        delete_run(store, run_id)
    return ReplayRun(
        run_id=run_id,
        created_at=time.time_ns() // 1_000_000,
        source=source,
        from_ms=window.from_ms,
        to_ms=window.to_ms,
        config=msgspec.json.encode(settings).decode(),
        code_version=version("stillwatch"),
        plan=plan,
    )


def cores() -> int:
    """Cores that this process may use."""
    import os

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


def _finish(store: Store, run: ReplayRun, report: RunReport, intake: Intake, began: float, status: str) -> None:
    report.rejected = dict(sorted(intake.rejected.items()))
    report.outside = intake.outside
    report.seconds = round(time.monotonic() - began, 3)
    metrics = msgspec.json.encode(asdict(report)).decode()
    save_run(store, msgspec.structs.replace(run, metrics=metrics, status=status))


def _nothing_to_do(run: ReplayRun, intake: Intake) -> str:
    if intake.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in intake.rejected.most_common(3))
        return f"no event could be used of the {intake.read} read ({reasons}); see rejected_events"
    if intake.outside:
        return f"none of the {intake.outside} events read lies in the window; widen --from and --to"
    return f"the source {run.source} has no events in the window; check --from and --to, and that it was filled"
