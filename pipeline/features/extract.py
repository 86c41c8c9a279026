"""From a batch to its features and the windows that closed: the one door to the compiled loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.event.columns import EventBatch
from pipeline.features.behaviour import BEHAVIOURS
from pipeline.features.kernel import close_until, process_events
from pipeline.features.layout import DISTINCT_NAMES, EVENT_FEATURE_NAMES, SUM_NAMES, WINDOW_S
from pipeline.features.state import CLOSED_MINUTE, FeatureState

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

Part = tuple[Int64, Float64, Float64, NDArray[np.float32]]
Room = tuple[Int64, Float64, Float64, NDArray[np.float32], Int64]

#: Closed windows that one call of the compiled loop has room for.
_ROOM = 8192
_ROOM_HOURS = 1024
_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class EventFeatures:
    """Features of N events, (N, len(EVENT_FEATURE_NAMES)); rows of duplicates are meaningless."""

    values: Float64
    late: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClosedWindows:
    """Windows that closed, M of them, in the order of closing.

    Shapes: (M,), `sums` (M, len(SUM_NAMES)), `distinct` (M, len(DISTINCT_NAMES)), `behaviour` (H, BEHAVIOURS) for the H
    hours among them.
    """

    slot: Int64
    level: Int64
    """Index into `layout.WINDOW_S`."""
    number: Int64
    """Windows of this length since the epoch."""
    empty_before: Int64
    """Windows without a call between the account's previous one of this length and this one."""
    at_event: Int64
    """The event of the batch whose time closed it; -1 where none did."""
    account_calls: Int64
    """Calls of the account so far."""
    sums: Float64
    distinct: Float64
    behaviour: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.slot.size)

    @property
    def end_ms(self) -> Int64:
        """(M,) end of each window, epoch milliseconds."""
        return (self.number + 1) * np.asarray(WINDOW_S, np.int64)[self.level] * 1000


def extract(
    batch: EventBatch, slots: Int64, duplicates: NDArray[np.bool_], state: FeatureState, allowed_lateness_s: int
) -> tuple[EventFeatures, ClosedWindows]:
    """Apply a batch to `state`. `slots` (N,) are the accounts' slots, for which `state` has room."""
    count = len(batch)
    features = EventFeatures(np.zeros((count, len(EVENT_FEATURE_NAMES))), np.zeros(count, np.bool_))
    parts: list[Part] = []
    begin = 0
    account, panes, levels = _arrays(state)
    while begin < count:
        out = _room()
        begin = process_events(
            begin,
            slots,
            batch.ts,
            batch.numbers,
            batch.hashes,
            batch.simhash,
            duplicates,
            allowed_lateness_s * 1000,
            state.clock,
            account,
            panes,
            levels,
            out,
            (features.values, features.late),
        )
        parts.append(_used(out))
    return features, _joined(parts)


def close(state: FeatureState, until_ms: int) -> ClosedWindows:
    """Close the windows that end at or before the event time `until_ms` though no event came that would have closed them.

    Moves the watermark of `state` there, and never back; does nothing before the first event.
    """
    minute = until_ms // 60_000
    if state.clock[CLOSED_MINUTE] < 0 or minute <= state.clock[CLOSED_MINUTE]:
        return _joined([])
    parts = []
    account, panes, levels = _arrays(state)
    done = False
    while not done:
        out = _room()
        done = bool(close_until(minute, -1, state.clock, account, panes, levels, out))
        parts.append(_used(out))
    return _joined(parts)


def _arrays(state: FeatureState) -> tuple[tuple[NDArray[Any], ...], ...]:
    # Of accounts, of open minutes, and of the larger windows, as the compiled loop takes them.
    accounts = state.accounts
    hours = accounts["hours"]
    account = (
        *(accounts[name] for name in ("last_ts", "calls", "seen", "last_window")),
        hours["sums"],
        hours["mix"],
        hours["prompts"],
        accounts["bands"],
    )
    return account, _views(accounts["panes"], state.pane_head), _views(accounts["levels"], state.level_head)


def _room() -> Room:
    rows = np.empty((_ROOM, _COLUMNS), np.int64)
    sums = np.empty((_ROOM, len(SUM_NAMES)))
    distinct = np.empty((_ROOM, len(DISTINCT_NAMES)))
    behaviour = np.empty((_ROOM_HOURS, BEHAVIOURS), np.float32)
    # Windows, then a number without meaning that keeps reading ahead from being left out as useless, then hours.
    return rows, sums, distinct, behaviour, np.zeros(3, np.int64)


def _used(out: Room) -> Part:
    rows, sums, distinct, behaviour, filled = out
    used = int(filled[0])
    return rows[:used], sums[:used], distinct[:used], behaviour[: int(filled[2])]


def _views(panes: NDArray[np.void], head: Int64) -> tuple[NDArray[Any], ...]:
    return (panes["sums"], panes["bits"], panes["registers"], panes["next"], head)


def _joined(parts: list[Part]) -> ClosedWindows:
    if not parts:
        rows, sums = np.empty((0, _COLUMNS), np.int64), np.empty((0, len(SUM_NAMES)))
        distinct, behaviour = np.empty((0, len(DISTINCT_NAMES))), np.empty((0, BEHAVIOURS), np.float32)
    else:
        rows, sums, distinct, behaviour = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    slot, level, number, empty_before, at_event, account_calls = rows.T
    return ClosedWindows(slot, level, number, empty_before, at_event, account_calls, sums, distinct, behaviour)
