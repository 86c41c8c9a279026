"""Drives the engines over a source and writes what they say under the run's name."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

import msgspec

from pipeline.campaigns.links import LinkedHour, LinkStage
from pipeline.campaigns.stage import CampaignStage
from pipeline.engine import Engine
from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch
from pipeline.features.signals import Signals
from pipeline.settings import EngineSettings, Settings
from pipeline.store.client import Store
from pipeline.store.records import LIVE, ReplayRun, delete_run, read_runs, save_run
from pipeline.store.rows import (
    account_windows_table,
    call_scores_table,
    campaign_members_table,
    campaigns_table,
    incidents_table,
    rejected_table,
)
from pipeline.store.write import Writer
from replay.errors import ReplayError
from replay.source import Intake, Pieces
from replay.window import Window

#: Events of a partition that the engine takes at once; verdicts do not depend on it.
BATCH_EVENTS = 20_000
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
    campaigns: int = 0
    accounts: int = 0
    seconds: float = 0.0


class CampaignReplay:
    """Finds campaigns in the signals of all partitions, and hands rows to the writer."""

    def __init__(self, settings: Settings, run_id: str, attempt: str, writer: Writer) -> None:
        """`attempt` as for `PartitionReplay`."""
        self._links = LinkStage(settings.campaigns, range(settings.stream.partitions))
        self._campaigns = CampaignStage(settings.campaigns, settings.engine.allowed_lateness_s)
        self._run_id = run_id
        self._attempt = attempt
        self._writer = writer
        self._blocks = 0

    def follow(self, signals: Signals, report: RunReport) -> None:
        """Take a partition's signals in."""
        self._process(self._links.hear(signals), report)

    def finish(self, report: RunReport) -> None:
        """The source has ended: partitions without any event are not waited for."""
        self._links.gate.rest()
        self._process(self._links.ready(), report)

    def _process(self, hours: list[LinkedHour], report: RunReport) -> None:
        if not hours:
            return
        changes = self._campaigns.hear(0, hours)
        rows = (
            ("campaigns", campaigns_table(changes.campaigns, run_id=self._run_id)),
            ("campaign_members", campaign_members_table(changes.members, run_id=self._run_id)),
            ("incidents", incidents_table(changes.incidents, run_id=self._run_id)),
        )
        self._blocks += 1
        for table, columns in rows:
            if self._writer.full:
                self._writer.flush()
            self._writer.add(table, columns, f"{self._attempt}/campaigns/{self._blocks}")
        report.campaigns += sum(campaign.version == 1 for campaign in changes.campaigns)
        report.incidents += sum(incident.version == 1 for incident in changes.incidents)


class PartitionReplay:
    """Replays one partition's events in their order: gathers a batch, runs the engine, hands rows to the writer."""

    def __init__(
        self,
        settings: EngineSettings,
        partition: int,
        run_id: str,
        attempt: str,
        writer: Writer,
        campaigns: CampaignReplay,
    ) -> None:
        """`attempt` tells this replay from an earlier one of the same name, whose blocks the store remembers."""
        self.engine = Engine(settings, partition)
        self._partition = partition
        self._run_id = run_id
        self._attempt = attempt
        self._writer = writer
        self._campaigns = campaigns
        self._calls: list[ApiCall] = []
        self._offsets: list[int] = []
        self._batches = 0

    def add(self, offset: int, call: ApiCall) -> bool:
        """Take an event; true when a batch is full and `process` is due."""
        self._calls.append(call)
        self._offsets.append(offset)
        return len(self._calls) >= BATCH_EVENTS

    def process(self, report: RunReport) -> None:
        """Score what was added."""
        if not self._calls:
            return
        verdicts = self.engine.process(EventBatch.from_calls(self._calls, self._offsets, self._partition))
        self._calls, self._offsets = [], []
        self._batches += 1
        scores, windows = verdicts.call_scores, verdicts.account_windows
        rows = (
            ("call_scores", call_scores_table(scores, run_id=self._run_id)),
            ("account_windows", account_windows_table(windows, run_id=self._run_id)),
            ("incidents", incidents_table(verdicts.incidents, run_id=self._run_id)),
        )
        for table, columns in rows:
            if self._writer.full:
                self._writer.flush()
            self._writer.add(table, columns, f"{self._attempt}/{self._partition}/{self._batches}")
        self._campaigns.follow(verdicts.signals, report)
        report.events += len(scores.account_id)
        report.duplicates += int(verdicts.duplicates.sum())
        report.windows += len(windows.account_id)
        report.incidents += sum(incident.version == 1 for incident in verdicts.incidents)


def replay(
    pieces: Pieces,
    intake: Intake,
    *,
    store: Store,
    settings: Settings,
    run: ReplayRun,
    progress: Callable[[RunReport], None] | None = None,
) -> RunReport:
    """Run `pieces` through the engines and write the verdicts under `run.run_id`, with the run's row in `replay_runs`.

    A run that fails or is stopped keeps a row that says so. Raises `ReplayError` when there was no event to score.
    """
    report = RunReport(run.run_id)
    save_run(store, run)
    began = time.monotonic()
    try:
        _drive(pieces, intake, store, settings, run, report, progress)
    except BaseException as error:
        status = "interrupted" if isinstance(error, (KeyboardInterrupt, GeneratorExit)) else "failed"
        _finish(store, run, report, intake, began, status)
        raise
    if not report.events:
        _finish(store, run, report, intake, began, "failed")
        raise ReplayError(_nothing_to_do(run, intake))
    _finish(store, run, report, intake, began, "done")
    return report


def claim(
    store: Store, run_id: str, source: str, window: Window, settings: EngineSettings, *, overwrite: bool
) -> ReplayRun:
    """The row of a new run. Raises `ReplayError` when the name is taken and not to be overwritten."""
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
    )


def _drive(
    pieces: Pieces,
    intake: Intake,
    store: Store,
    settings: Settings,
    run: ReplayRun,
    report: RunReport,
    progress: Callable[[RunReport], None] | None,
) -> None:
    attempt = f"{run.run_id}/{run.created_at}"
    writer = Writer(store, max_rows=settings.store.insert_max_rows, retry_max_seconds=settings.store.retry_max_seconds)
    campaigns = CampaignReplay(settings, run.run_id, attempt, writer)
    partitions: dict[int, PartitionReplay] = {}
    began = told = time.monotonic()
    rejects = 0
    for piece in pieces:
        by_partition: dict[int, list[tuple[int, ApiCall]]] = defaultdict(list)
        for partition, offset, call in piece:
            by_partition[partition].append((offset, call))
        for number, events in by_partition.items():
            partition_replay = partitions.get(number)
            if partition_replay is None:
                partition_replay = PartitionReplay(settings.engine, number, run.run_id, attempt, writer, campaigns)
                partitions[number] = partition_replay
            for offset, call in events:
                if partition_replay.add(offset, call):
                    partition_replay.process(report)
        if intake.rejects:
            rejects += 1
            if writer.full:
                writer.flush()
            writer.add("rejected_events", rejected_table(intake.rejects), f"{attempt}/rejects/{rejects}")
            intake.rejects.clear()
        if writer.due():
            writer.flush()
        now = time.monotonic()
        if progress is not None and now - told >= _PROGRESS_EVERY_S:
            told = now
            report.seconds = now - began
            progress(report)
    for number in sorted(partitions):
        partitions[number].process(report)
        report.accounts += partitions[number].engine.accounts
    campaigns.finish(report)
    writer.flush()


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
