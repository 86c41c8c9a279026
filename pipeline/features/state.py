"""What is remembered of every account of a partition: arrays with a slot per account, and the partition's clock."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pipeline.features.layout import BITMAPS, LEVELS, NOVELTIES, REGISTERS, SKETCHES, SUMS

#: Positions in `FeatureState.clock`.
NEWEST_TS, CLOSED_MINUTE = 0, 1
#: `clock[CLOSED_MINUTE]` before the first event.
NOT_STARTED = -1


@dataclass(slots=True)
class FeatureState:
    """Arrays over S account slots. R is the number of minutes that can be open at once.

    A minute's pane is at ``minute % R``; once it closes it is merged into the 10-minute accumulator, that one into the hour's,
    and that into the day's, so that only minutes must be kept apart for late events. The slots with something open in a
    minute or an accumulator form a linked list (`pane_head`, `pane_next`), so closing costs nothing for silent accounts.
    """

    clock: NDArray[np.int64]
    last_ts: NDArray[np.int64]
    calls: NDArray[np.int64]
    seen: NDArray[np.uint64]
    """(S, NOVELTIES): one-hash Bloom bitmap of the models, keys, addresses and user agents seen."""
    last_window: NDArray[np.int64]
    """(S, LEVELS): number of the last window that closed with calls, -1 at first."""
    pane_sums: NDArray[np.float64]
    pane_bits: NDArray[np.uint64]
    pane_registers: NDArray[np.uint8]
    pane_next: NDArray[np.int32]
    """(S, R): the next slot of the list, -1 at its end, -2 where the slot is in no list."""
    pane_head: NDArray[np.int32]
    level_sums: NDArray[np.float64]
    level_bits: NDArray[np.uint64]
    level_registers: NDArray[np.uint8]
    level_next: NDArray[np.int32]
    level_head: NDArray[np.int32]

    @property
    def capacity(self) -> int:
        """Account slots there is room for."""
        return int(self.last_ts.size)


#: Arrays that are not indexed by slot.
_SHARED = frozenset({"clock", "pane_head", "level_head"})
#: What an empty slot holds, where that is not 0.
_EMPTY = {"last_ts": -1, "last_window": -1, "pane_next": -2, "level_next": -2}


def new_state(allowed_lateness_s: int, capacity: int = 64) -> FeatureState:
    """An empty state whose windows close `allowed_lateness_s` seconds after their end."""
    ring = allowed_lateness_s // 60 + 2
    uppers = LEVELS - 1
    state = FeatureState(
        clock=np.array([NOT_STARTED, NOT_STARTED], np.int64),
        last_ts=np.empty(capacity, np.int64),
        calls=np.zeros(capacity, np.int64),
        seen=np.zeros((capacity, NOVELTIES), np.uint64),
        last_window=np.empty((capacity, LEVELS), np.int64),
        pane_sums=np.zeros((capacity, ring, SUMS)),
        pane_bits=np.zeros((capacity, ring, BITMAPS), np.uint64),
        pane_registers=np.zeros((capacity, ring, SKETCHES, REGISTERS), np.uint8),
        pane_next=np.empty((capacity, ring), np.int32),
        pane_head=np.full(ring, -1, np.int32),
        level_sums=np.zeros((capacity, uppers, SUMS)),
        level_bits=np.zeros((capacity, uppers, BITMAPS), np.uint64),
        level_registers=np.zeros((capacity, uppers, SKETCHES, REGISTERS), np.uint8),
        level_next=np.empty((capacity, uppers), np.int32),
        level_head=np.full(uppers, -1, np.int32),
    )
    for name, value in _EMPTY.items():
        getattr(state, name)[...] = value
    return state


def make_room(state: FeatureState, slots: int) -> None:
    """Let `state` have room for `slots` accounts, doubling its arrays as needed."""
    old = state.capacity
    if slots <= old:
        return
    new = max(slots, 2 * old)
    for field in fields(state):
        if field.name in _SHARED:
            continue
        array = getattr(state, field.name)
        grown = np.full((new, *array.shape[1:]), _EMPTY.get(field.name, 0), array.dtype)
        grown[:old] = array
        setattr(state, field.name, grown)
