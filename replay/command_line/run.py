"""`stillwatch replay run`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.command_line.connect import open_store
from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common
from replay.command_line.events import Events, check, plan_from

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.client import Store
    from pipeline.store.records import ReplayRun
    from replay.beginning import Beginning
    from replay.plan import Plan
    from replay.run import RunReport


def run(
    *,
    run_id: Annotated[str, Parameter(name="--run-id")],
    events: Events | None = None,
    warm_up: Annotated[str | None, Parameter(name="--warm-up")] = None,
    from_snapshot: Annotated[bool, Parameter(name="--from-snapshot", negative=())] = False,
    processes: Annotated[int | None, Parameter(name="--processes")] = None,
    resume: Annotated[bool, Parameter(name="--resume", negative=())] = False,
    overwrite: Annotated[bool, Parameter(name="--overwrite", negative=())] = False,
    suppressions: Annotated[bool, Parameter(name="--suppressions")] = True,
    verdicts: Annotated[bool, Parameter(name="--verdicts", negative=())] = False,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Re-run a window of history through the engine, into the same tables under a name.

    Parameters
    ----------
    run_id
        Name of the run.
    warm_up
        Let the engines learn from so much before the window (14d) without telling of it.
    from_snapshot
        Begin with the stream's states as of the start of the window.
    processes
        Processes that run engines: one for each core by default. The rows do not depend on it.
    resume
        Go on with a run that was stopped or killed, as it was told then.
    overwrite
        Replace a run of the same name.
    suppressions
        Whether to heed what `stillwatch suppress` has put in the store; what the settings name is heeded always.
    verdicts
        Heed what `stillwatch label` has recorded, too: accounts called honest, and the threshold that verdicts move.
    json
        Print the counts as JSON.
    """
    chosen = events or Events()
    settings = (common or Common()).settings()
    check(chosen, warm_up, from_snapshot, processes)
    if resume and (chosen != Events() or warm_up or from_snapshot or overwrite or verdicts or not suppressions):
        raise Misuse("replay run --resume: the run goes on as it was told; give --run-id, --processes and --store only")
    from pipeline.detectors.build import build_detectors
    from replay.beginning import begin
    from replay.command_line.progress import progress
    from replay.command_line.stopping import asked_to_stop
    from replay.plan import open_source
    from replay.run import Manner, replay
    from replay.source import Intake

    build_detectors(settings.engine.detectors)
    intake = Intake()
    with asked_to_stop() as stopped, _store_to_write(settings) as store:
        if resume:
            claimed, plan, beginning = _unfinished(store, run_id)
        else:
            plan = plan_from(
                chosen,
                settings,
                store,
                warm_up=warm_up,
                snapshot=from_snapshot,
                suppressions=suppressions,
                verdicts=verdicts,
            )
            beginning = begin(store, plan)
        with progress(_total(store, plan)) as show:
            source = open_source(plan, store, beginning, intake, lambda: _servers(settings), show.advance)
            if not resume:
                claimed = _claim(store, run_id, plan, overwrite=overwrite)
            manner = Manner(
                processes,
                plan.since_ms,
                beginning=beginning,
                stopped=stopped,
                progress=show.update,
                handed=show.advance if plan.files is None else None,
            )
            try:
                report = replay(
                    source,
                    intake,
                    store=store,
                    settings=_with_addresses(plan.settings, settings),
                    run=claimed,
                    manner=manner,
                )
            except KeyboardInterrupt:
                raise Failure(
                    f"run {run_id} was stopped; `stillwatch replay run --resume --run-id {run_id}` goes on with it"
                ) from None
    if json:
        from pipeline.command_line.show import print_json

        print_json(report)
    else:
        _print_report(report)
    return 0


def _claim(store: Store, run_id: str, plan: Plan, *, overwrite: bool) -> ReplayRun:
    from replay.run import claim

    return claim(store, run_id, plan.source, plan.window, plan.settings.engine, overwrite=overwrite, plan=plan.text())


def _unfinished(store: Store, run_id: str) -> tuple[ReplayRun, Plan, Beginning]:
    from msgspec.structs import replace

    from pipeline.store.records import read_runs
    from replay.beginning import resumed
    from replay.plan import plan_of

    found = [one for one in read_runs(store) if one.run_id == run_id]
    if not found:
        raise Failure(f"there is no run {run_id} to resume; give --run-id of one, or start it without --resume")
    if found[0].status == "done":
        raise Failure(f"run {run_id} is done; there is nothing to resume")
    plan = plan_of(found[0])
    return replace(found[0], status="running"), plan, resumed(store, run_id, plan)


def _with_addresses(planned: Settings, settings: Settings) -> Settings:
    """The settings of the plan, with the store of now."""
    from msgspec.structs import replace

    return replace(planned, store=settings.store)


def _total(store: Store, plan: Plan) -> int | None:
    from pipeline.command_line.show import total_bytes

    if plan.files is not None:
        return total_bytes([file.path for file in plan.files.files])
    if plan.source == "kafka":
        return None
    from replay.source import expected_events

    return expected_events(store, plan.settings.stream.partitions, plan.read, plan.accounts)


def _servers(settings: Settings) -> list[str]:
    from pipeline.stream.address import bootstrap_servers

    return bootstrap_servers(settings.stream.broker)


@contextmanager
def _store_to_write(settings: Settings) -> Iterator[Store]:
    # A folder of one's own is made ready without being asked for; a server's schema is its operator's business.
    from pipeline.store.migrate import migrate

    embedded = settings.store.address.startswith("chdb:")
    with open_store(settings, migrated=not embedded) as store:
        if embedded:
            migrate(store)
        yield store


def _print_report(report: RunReport) -> None:
    from pipeline.command_line.show import print_table

    rows: list[tuple[str, int]] = [("scored", report.events), ("duplicates", report.duplicates)]
    rows += [(f"rejected: {reason}", count) for reason, count in report.rejected.items()]
    if report.outside:
        rows.append(("outside the window", report.outside))
    rows += [("accounts", report.accounts), ("windows", report.windows), ("incidents", report.incidents)]
    if report.suppressed:
        rows.append(("suppressed", report.suppressed))
    print_table(f"run {report.run_id}", ("outcome", "count"), rows)
    rate = report.events / report.seconds if report.seconds else 0.0
    print(f"{report.seconds:.1f} s, {rate:,.0f} events/s")
