"""A replay as a run: it claims its name, is driven, and leaves a row that says how far to trust it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version

import msgspec

from pipeline.settings import EngineSettings, Settings
from pipeline.store.client import Store
from pipeline.store.errors import StoreError
from pipeline.store.records import LIVE, ReplayRun, delete_run, read_runs, save_run
from replay.beginning import forget_states
from replay.drive import Manner, RunReport, drive
from replay.errors import ReplayError
from replay.source import Chunks, Intake
from replay.window import Window

__all__ = ["Manner", "RunReport", "claim", "replay"]


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
    began = time.monotonic()
    try:
        drive(
            source,
            intake,
            store=store,
            settings=settings,
            run_id=run.run_id,
            manner=manner,
            report=report,
            attempt=f"{run.run_id}/{run.created_at}",
        )
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
