"""A partition of `api-calls` on its way through the engine: records in, verdicts out, in the order of offsets."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.engine import Engine
from pipeline.engine.verdicts import Verdicts
from pipeline.event import ApiCall, EventLimits, Rejected, decode_many
from pipeline.event.table import batch_of_table, table_of
from pipeline.store.account_states import AccountStates
from pipeline.stream.checkpoint import Checkpoints
from pipeline.stream.feedback import Feedback
from pipeline.stream.fetch import FetchedBatch

#: `timestamp_type` of records whose time the broker gave.
LOG_APPEND_TIME = 1
#: A silent partition's time that closes nothing is kept in a state this often.
SILENT_CHECKPOINT_MS = 600_000

_offset_of = attrgetter("offset")


@dataclass(slots=True)
class Processed:
    """What a batch gave. `events` are those counted, duplicates left out, as `table_of` lays them out, with their `offsets`
    and the times of their records."""

    received: int = 0
    repeated: int = 0
    duplicates: int = 0
    events: pa.Table | None = None
    offsets: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    received_at: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    rejects: list[Rejected] = field(default_factory=list)
    verdicts: Verdicts | None = None


@dataclass(slots=True)
class Taken:
    """The records of a batch that the engine does not have yet, decoded, and what is known of the batch so far."""

    done: Processed
    end: int
    calls: list[ApiCall] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)


class Lane:
    """The engine of one partition, and the offset it has read up to.

    Records before `next_offset` are in the engine's state already; read again, after a rebalance, they are skipped.
    """

    def __init__(
        self,
        engine: Engine,
        limits: EventLimits,
        topic: str,
        next_offset: int,
        checkpoints: Checkpoints,
        left: AccountStates,
    ) -> None:
        """`left` are the accounts of the partition that left memory."""
        self.engine = engine
        self.left = left
        self.next_offset = next_offset
        self.checkpoints = checkpoints
        self._limits = limits
        self._topic = topic
        self._partition = engine.partition
        self._feedback = Feedback()

    def heed(self, feedback: Feedback) -> None:
        """Judge by these suppressions and verdicts from now on."""
        if feedback != self._feedback:
            self._feedback = feedback
            self.engine.suppress(feedback.suppressions, feedback.shift)

    def follows(self, batch: FetchedBatch) -> bool:
        """Whether the engine's state is that of all records before the batch; if not, another worker had some of them."""
        return not batch.restarted and batch.start <= self.next_offset

    def take(self, batch: FetchedBatch) -> Taken:
        """Decode the records that the engine does not have yet; blocks for as long as that takes."""
        repeated = bisect_left(batch.records, self.next_offset, key=_offset_of)
        done = Processed(received=len(batch.records), repeated=repeated)
        records = batch.records[repeated:]
        now = time.time_ns() // 1_000_000
        received_at = [_time_of(record, now) for record in records]
        values = [record.value or b"" for record in records]
        taken = Taken(done, batch.end)
        results = decode_many(values, received_at=received_at, limits=self._limits)
        for record, moment, result in zip(records, received_at, results, strict=True):
            if isinstance(result, Rejected):
                done.rejects.append(self._placed(result, record))
            else:
                taken.calls.append(result)
                taken.offsets.append(record.offset)
                taken.times.append(moment)
        return taken

    def absent(self, taken: Taken) -> list[str]:
        """Accounts of these events that left memory; they must be `restored` before the events are processed."""
        return self.engine.absent([one.account_id for one in taken.calls])

    def process(self, taken: Taken) -> Processed:
        """Score what was taken; blocks for as long as that takes."""
        done, calls, offsets, times = taken.done, taken.calls, taken.offsets, taken.times
        if calls:
            done.events = table_of(calls)
            done.offsets, done.received_at = np.array(offsets, np.int64), np.array(times, np.int64)
            done.verdicts = self.engine.process(batch_of_table(done.events, done.offsets, self._partition))
            duplicates = done.verdicts.duplicates
            done.duplicates = int(duplicates.sum())
            if done.duplicates:
                kept = np.flatnonzero(~duplicates)
                done.events = done.events.take(kept)
                done.offsets, done.received_at = done.offsets[kept], done.received_at[kept]
        if taken.end > self.next_offset:
            self.next_offset = taken.end
            self.checkpoints.moved()
        return done

    def advance(self, to_ms: int) -> Processed | None:
        """Let event time come to `to_ms` without an event; what that closes, None when nothing. Blocks while it works."""
        before = self.engine.watermark
        verdicts = self.engine.advance(to_ms)
        told = bool(verdicts.account_windows.account_id or verdicts.incidents or verdicts.suppressed)
        if told or before // SILENT_CHECKPOINT_MS != self.engine.watermark // SILENT_CHECKPOINT_MS:
            self.checkpoints.moved()
        return Processed(verdicts=verdicts) if told else None

    def _placed(self, reject: Rejected, record: Any) -> Rejected:
        detail = "a record without a value" if record.value is None else reject.detail
        return replace(reject, detail=detail, topic=self._topic, partition=self._partition, offset=record.offset)


def _time_of(record: Any, now: int) -> int:
    # The broker's time where the topic has it. A sender's own must not vouch for an event of the future, and a record without a
    # time (-1, of ancient clients) counts as received when it is read.
    if record.timestamp_type == LOG_APPEND_TIME:
        return int(record.timestamp)
    return min(record.timestamp, now) if record.timestamp and record.timestamp > 0 else now
