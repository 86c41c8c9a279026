"""The engines of some partitions: events in, rows of the result tables and signals out. Pure of input and output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.engine import Engine, Verdicts
from pipeline.engine.verdicts import AccountWindows, CallScores, HourEvidence
from pipeline.event.columns import EventBatch
from pipeline.features.signals import Signals
from pipeline.incidents.incident import Incident
from pipeline.settings import EngineSettings
from pipeline.state import EngineState, Part, Saved, decode_state
from pipeline.store.rows import (
    account_windows_table,
    call_scores_table,
    incidents_table,
    suppressed_incidents_table,
)
from pipeline.stream.checkpoint import Checkpoint, Checkpoints
from replay.chunk import Chunk, joined

#: Events of a partition that the engine takes at once. Verdicts do not depend on it, but blocks of rows do, and a run that is
#: resumed writes the same blocks again, which the store then drops.
BATCH_EVENTS = 20_000
#: The part of a state in which the replay keeps its counts.
COUNTS = "replay counts"


class Counts(msgspec.Struct):
    """What the engine of one partition has done since the run began."""

    events: int = 0
    duplicates: int = 0
    windows: int = 0
    incidents: int = 0
    suppressed: int = 0
    accounts: int = 0

    def part(self) -> Part:
        """As a part of a state."""
        return Part("", Saved(shared={"counts": np.array(msgspec.structs.astuple(self), np.int64)}))

    @classmethod
    def of(cls, parts: Mapping[str, Part]) -> Counts:
        """As a state has them; zeros where it has none."""
        part = parts.get(COUNTS)
        return cls() if part is None else cls(*part.saved.shared["counts"].tolist())


@dataclass(frozen=True, slots=True)
class Orders:
    """What every shard of a run is told."""

    settings: EngineSettings
    run_id: str
    attempt: str
    """Tells this run from an earlier one of the same name, whose blocks the store remembers."""
    since_ms: int | None = None
    """Verdicts on what was before are not told: the warm-up."""
    batch_events: int = BATCH_EVENTS
    ends: Mapping[int, int] = field(default_factory=dict)
    """Event time that partitions come to after their last event, epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where the engine of a partition begins: with these states, after this offset; new without any."""

    states: Sequence[bytes] = ()
    counts: bool = False
    """Whether the states are of the same run, and its counts go on."""


@dataclass(slots=True)
class Outcome:
    """What a batch gave, or a checkpoint."""

    partition: int
    counts: Counts
    key: str = ""
    """Names the content, the same whenever it comes again."""
    rows: list[tuple[str, pa.Table]] = field(default_factory=list)
    signals: Signals | None = None
    newest_ms: int = -1
    state: pa.Table | None = None
    checkpoint: Checkpoint | None = None


class PartitionReplay:
    """Replays one partition's events in their order: gathers batches, runs the engine, lays rows out."""

    def __init__(self, orders: Orders, partition: int, start: Start | None = None) -> None:
        """Raises `pipeline.state.StateError` when the states cannot be used."""
        self.engine = Engine(orders.settings, partition)
        self.counts = Counts()
        self._orders = orders
        self._partition = partition
        self._waiting: list[EventBatch] = []
        self._events = 0
        self._next_offset: int | None = None
        if start is not None and start.states:
            states = [decode_state(one) for one in start.states]
            self.engine.load(states)
            if start.counts:
                self.counts = Counts.of(states[-1].parts)

    @property
    def watermark(self) -> int:
        """Of the engine, as checkpoints want it."""
        return self.engine.watermark

    @property
    def position(self) -> int | None:
        """The offset after the last event that the engine has taken in; None before the first."""
        return self._next_offset

    def save(self, *, whole: bool) -> EngineState:
        """The engine's state and the counts."""
        state = self.engine.save(whole=whole)
        parts = {**state.parts, COUNTS: self.counts.part()}
        return EngineState(state.partition, state.first_new, state.accounts, state.slots, parts)

    def add(self, batch: EventBatch) -> Iterator[Outcome]:
        """Take events in; what full batches gave."""
        self._waiting.append(batch)
        self._events += len(batch)
        size = self._orders.batch_events
        if self._events < size:
            return
        whole = joined(self._waiting)
        full = self._events - self._events % size
        self._waiting = [whole[full:]] if full < self._events else []
        self._events -= full
        for begin in range(0, full, size):
            yield self._process(whole[begin : begin + size])

    def finish(self) -> Iterator[Outcome]:
        """The events have ended."""
        if self._events:
            yield self._process(joined(self._waiting))
        self._waiting, self._events = [], 0
        end = self._orders.ends.get(self._partition)
        if end is not None and end > self.engine.time:
            yield self._told(self.engine.advance(end), f"time/{end}", end)

    def _process(self, batch: EventBatch) -> Outcome:
        verdicts = self.engine.process(batch)
        self._next_offset = int(batch.offset[-1]) + 1
        self.counts.duplicates += int(verdicts.duplicates.sum())
        # First and last: a block of another size is another block, and must not be taken for one that is there.
        return self._told(verdicts, f"{batch.offset[0]}-{batch.offset[-1]}", int(batch.ts[-1]))

    def _told(self, verdicts: Verdicts, place: str, newest_ms: int) -> Outcome:
        since, run_id = self._orders.since_ms, self._orders.run_id
        scores, windows = verdicts.call_scores, verdicts.account_windows
        incidents, suppressed = verdicts.incidents, verdicts.suppressed
        if since is not None:
            scores = _chosen(scores, scores.ts >= since)
            windows = _chosen(windows, windows.window_start >= since)
            incidents = [one for one in incidents if changed_at(one) >= since]
            suppressed = [one for one in suppressed if changed_at(one) >= since]
        counts = self.counts
        counts.events += len(scores.account_id)
        counts.windows += len(windows.account_id)
        counts.incidents += sum(one.version == 1 for one in incidents)
        counts.suppressed += sum(one.version == 1 for one in suppressed)
        counts.accounts = self.engine.accounts
        return Outcome(
            self._partition,
            msgspec.structs.replace(counts),
            f"{self._orders.attempt}/{self._partition}/{place}",
            [
                ("call_scores", call_scores_table(scores, run_id=run_id)),
                ("account_windows", account_windows_table(windows, run_id=run_id)),
                ("incidents", incidents_table(incidents, run_id=run_id)),
                ("suppressed_incidents", suppressed_incidents_table(suppressed, run_id=run_id)),
            ],
            verdicts.signals,
            newest_ms,
        )


class Shard:
    """The partitions that one process has."""

    def __init__(self, orders: Orders, starts: Mapping[int, Start], generation: int) -> None:
        self._orders = orders
        self._starts = starts
        self._generation = generation
        self._partitions: dict[int, tuple[PartitionReplay, Checkpoints]] = {}
        self._saved: dict[int, int | None] = {}

    def open(self) -> Iterator[Outcome]:
        """Restore the engines that begin with states; their counts so far."""
        for number in sorted(self._starts):
            yield Outcome(number, msgspec.structs.replace(self._of(number)[0].counts))

    def take(self, chunk: Chunk) -> Iterator[Outcome]:
        """Take events in; what full batches gave."""
        return self._of(chunk.partition)[0].add(chunk.batch())

    def finish(self) -> Iterator[Outcome]:
        """The events have ended."""
        for number in sorted(self._partitions):
            yield from self._partitions[number][0].finish()

    def save(self) -> Iterator[Outcome]:
        """A checkpoint of every partition that has moved since its last."""
        for number, (partition, checkpoints) in sorted(self._partitions.items()):
            position = partition.position
            if position is None or position == self._saved.get(number):
                continue
            self._saved[number] = position
            taken = checkpoints.take(number, position)
            rows = taken.rows()
            taken.done(taken.size)
            snapshot = taken.snapshot
            told = Checkpoint(snapshot, None, _nothing)
            yield Outcome(number, msgspec.structs.replace(partition.counts), state=rows, checkpoint=told)

    def _of(self, number: int) -> tuple[PartitionReplay, Checkpoints]:
        if number not in self._partitions:
            partition = PartitionReplay(self._orders, number, self._starts.get(number))
            checkpoints = Checkpoints(partition, self._orders.run_id, self._generation, 0.0)
            self._partitions[number] = partition, checkpoints
        return self._partitions[number]


def changed_at(incident: Incident) -> int:
    """Event time of what this version tells."""
    return max(incident.detected_at, incident.last_seen_at, incident.closed_at or 0)


def _nothing(_: int) -> None:
    pass


def _chosen(rows: Any, kept: Any) -> Any:
    """The rows of `CallScores` or `AccountWindows` that are to be told."""
    if kept.all():
        return rows
    where = np.flatnonzero(kept)
    kind: type[CallScores] | type[AccountWindows] = type(rows)
    columns: dict[str, Any] = {}
    for name in kind.__dataclass_fields__:
        column = getattr(rows, name)
        if column is None or isinstance(column, HourEvidence):
            columns[name] = None if column is None else column.among(kept)
        else:
            columns[name] = column[where] if isinstance(column, np.ndarray) else [column[row] for row in where.tolist()]
    return kind(**columns)
