"""Checkpoints of one partition: when a state is due, what goes to the store, and the acks that wait for it.

A batch may be acked, and its offsets committed, only when its rows are in the store and the state that holds its events is too:
a worker that starts at a committed offset always finds the state of all events before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa

from pipeline.engine.memory import Idle
from pipeline.state import EngineState, encode_state
from pipeline.store.account_states import account_states_table
from pipeline.store.client import Store
from pipeline.store.snapshots import Snapshot, forget_before, snapshot_table

#: A partition that has rested for this long gets its checkpoint early, if the last one is a while ago.
RESTED_S = 1.0
EARLY_S = 5.0
#: And so does one with too many accounts in memory.
CROWDED_S = 1.0
#: A chain of changes ends when it is longer than this, or larger than the whole state it began with.
LONGEST_CHAIN = 100
#: Accounts that leave memory with one checkpoint at most: what is remembered of them is copied for it, 5 KiB of each.
MOST_LEAVING = 4096


class Saving(Protocol):
    """What checkpoints are taken of: an engine, or the stages that find campaigns."""

    @property
    def watermark(self) -> int:
        """Event time in epoch milliseconds up to which it has finished; -1 before the first event."""

    def save(self, *, whole: bool) -> EngineState:
        """All that it remembers, or what has changed since it was last saved."""


class Evicting(Protocol):
    """An engine whose idle accounts may leave memory."""

    @property
    def crowded(self) -> bool:
        """Whether more accounts are in memory than are to stay, and some may leave."""

    def idle(self, most: int) -> Idle:
        """Accounts that may leave, and what is remembered of them."""

    def evict(self, idle: Idle) -> int:
        """They are in the store: let them leave; how many did."""


@dataclass(slots=True)
class Checkpoint:
    """A state on its way to the store. `rows` is called in the store's thread, `done` in the event loop."""

    snapshot: Snapshot
    state: EngineState | None
    done: Callable[[int], None]
    """Told the size of the state in bytes once it is in the store."""
    size: int = 0
    kept_days: int = 0
    """Days of event time of each of which a whole state stays."""
    idle: Idle | None = None
    """Accounts that leave memory once what is remembered of them is in the store."""

    def account_rows(self) -> pa.Table | None:
        """Rows of `account_states`; None when no account is to leave."""
        if self.idle is None or not self.idle.accounts:
            return None
        one, idle = self.snapshot, self.idle
        self.idle = None
        return account_states_table(
            idle.accounts,
            idle.parts,
            run_id=one.run_id,
            partition=one.partition,
            # Generations are microseconds apart from the clock, states of one seconds.
            version=one.generation + one.sequence,
            as_of=one.as_of,
        )

    def rows(self) -> pa.Table:
        """Rows of `model_snapshots`."""
        assert self.state is not None
        encoded = encode_state(self.state)
        self.state = None
        self.size = len(encoded)
        return snapshot_table(replace(self.snapshot, state=encoded))


def forget_replaced(store: Store, written: Iterable[Checkpoint]) -> None:
    """Delete the states that others, which are in the store now, have replaced."""
    replacing = [one for one in written if one.snapshot.whole and one.snapshot.sequence]
    if replacing:
        kept_days = max(one.kept_days for one in replacing)
        forget_before(store, [one.snapshot for one in replacing], kept_days)


class Checkpoints:
    """The checkpoints of one engine, in one generation of states."""

    def __init__(
        self,
        engine: Saving,
        run_id: str,
        generation: int,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        settings: str = "",
        kept_days: int = 0,
        evicting: Evicting | None = None,
    ) -> None:
        """`settings` are `pipeline.store.snapshots.StateSettings` as text; `kept_days` as for `forget_before`. With `evicting`,
        idle accounts of that engine leave memory.
        """
        self._settings = settings
        self._kept_days = kept_days
        self._evicting = evicting
        self.evicted = 0
        """Accounts that have left memory."""
        self._engine = engine
        self._run_id = run_id
        self._generation = generation
        self._interval_s = interval_s
        self._clock = clock
        self._sequence = 0
        self._since_whole = 0
        self._whole_bytes = self._change_bytes = 0
        self._waiting: list[Callable[[], None]] = []
        self._taken_at = clock() - EARLY_S
        self._moved_at: float | None = None
        self._under_way = 0
        self._durable_at = clock()
        self._halted = False
        self.written_at = 0.0
        """When the latest state came into the store, epoch seconds; 0 before the first."""

    @property
    def state_bytes(self) -> int:
        """Size in the store of the whole state and the changes after it."""
        return self._whole_bytes + self._change_bytes

    def halt(self) -> None:
        """Take no more: the engine holds a part of a batch whose effects will never be durable."""
        self._halted = True

    def moved(self) -> None:
        """The engine has taken events in."""
        if self._moved_at is None and not self._waiting:
            self._durable_at = self._clock()
        self._moved_at = self._clock()

    def wait(self, ack: Callable[[], None]) -> None:
        """The rows of a batch are in the store; `ack` is called when a state that holds its events is, too."""
        self._waiting.append(ack)
        if self._moved_at is None and not self._under_way:
            self._release()

    @property
    def age_s(self) -> float:
        """Seconds for which there have been events that no state in the store holds; 0 when there are none."""
        return self._clock() - self._durable_at if self._waiting or self._moved_at is not None else 0.0

    def due(self, *, hurry: bool) -> bool:
        """Whether to take a checkpoint now; with `hurry` as soon as there is anything new."""
        if self._moved_at is None or self._halted:
            return False
        now = self._clock()
        since = now - self._taken_at
        if hurry or since >= self._interval_s or (now - self._moved_at >= RESTED_S and since >= EARLY_S):
            return True
        return since >= CROWDED_S and not self._under_way and self._evicting is not None and self._evicting.crowded

    def take(self, partition: int, next_offset: int) -> Checkpoint:
        """The engine's state as it is now, before the event at `next_offset`."""
        full = self._since_whole >= LONGEST_CHAIN or self._change_bytes > self._whole_bytes
        # What may leave is as the state before has it, and that is in the store: an account that no state names, once read
        # again, is among those that left.
        idle = self._evicting.idle(MOST_LEAVING) if self._evicting is not None and not self._under_way else None
        state = self._engine.save(whole=full)
        snapshot = Snapshot(
            self._run_id,
            partition,
            self._generation,
            self._sequence,
            state.whole,
            self._engine.watermark,
            next_offset - 1,
            int(state.slots.size),
            b"",
            self._settings,
        )
        self._sequence += 1
        self._since_whole = 0 if state.whole else self._since_whole + 1
        self._taken_at = self._clock()
        self._moved_at = None
        self._under_way += 1
        whole, evicting = state.whole, self._evicting
        leaving = None if idle is None else replace(idle, parts={})

        def done(size: int) -> None:
            if whole:
                self._whole_bytes, self._change_bytes = size, 0
            else:
                self._change_bytes += size
            self.written_at = time.time()
            self._under_way -= 1
            if evicting is not None and leaving is not None:
                self.evicted += evicting.evict(leaving)
            self._release()

        return Checkpoint(snapshot, state, done, kept_days=self._kept_days, idle=idle)

    def _release(self) -> None:
        self._durable_at = self._clock()
        waiting, self._waiting = self._waiting, []
        for ack in waiting:
            ack()
