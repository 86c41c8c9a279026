"""What is remembered of every account of a partition: a record per account slot, and the partition's clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.features.behaviour import BANDS, HOUR, LATEST, OPEN_HOURS
from pipeline.features.layout import BITMAPS, LEVELS, NOVELTIES, REGISTERS, SKETCHES, SUMS
from pipeline.state import Saved, StateError
from pipeline.state.saved import Array

#: Positions in `FeatureState.clock`.
NEWEST_TS, CLOSED_MINUTE = 0, 1
#: `clock[CLOSED_MINUTE]` before the first event.
NOT_STARTED = -1
#: `next` of a pane that is in no list.
NOT_LISTED = -2

#: What is summed up of a window that is open. `next` is the next slot of the list of those that are open, -1 at its end.
PANE = np.dtype(
    [
        ("sums", np.float64, SUMS),
        ("bits", np.uint64, BITMAPS),
        ("registers", np.uint8, (SKETCHES, REGISTERS)),
        ("next", np.int64),
    ]
)


def account_type(allowed_lateness_s: int) -> np.dtype[np.void]:
    """The record of an account. All of it lies together, since an event needs most of it and little of any other account."""
    return np.dtype(
        [
            ("last_ts", np.int64),
            ("calls", np.int64),
            # One-hash Bloom bitmaps of the models, keys, addresses and user agents seen.
            ("seen", np.uint64, NOVELTIES),
            # Number of the last window of each level that closed with calls, -1 at first.
            ("last_window", np.int64, LEVELS),
            ("panes", PANE, allowed_lateness_s // 60 + 2),
            ("levels", PANE, LEVELS - 1),
            # The behaviour of the hours that are open, at ``hour % OPEN_HOURS``, and bands of the latest prompts.
            ("hours", HOUR, OPEN_HOURS),
            ("bands", np.uint16, (BANDS, LATEST)),
        ]
    )


@dataclass(slots=True)
class FeatureState:
    """The records of S account slots.

    A minute's pane is at ``minute % len(panes)``; once it closes it is merged into the 10-minute level, that one into the
    hour's, and that into the day's, so that only minutes must be kept apart for late events. The slots with something open
    in a minute or a level form a linked list that begins at its head, so closing costs nothing for silent accounts.
    """

    clock: NDArray[np.int64]
    accounts: NDArray[np.void]
    """(S,) of `account_type`."""
    pane_head: NDArray[np.int64]
    level_head: NDArray[np.int64]

    @property
    def capacity(self) -> int:
        """Account slots there is room for."""
        return int(self.accounts.size)


def new_state(allowed_lateness_s: int, capacity: int = 64) -> FeatureState:
    """An empty state whose windows close `allowed_lateness_s` seconds after their end."""
    accounts = _empty(capacity, account_type(allowed_lateness_s))
    return FeatureState(
        clock=np.array([NOT_STARTED, NOT_STARTED], np.int64),
        accounts=accounts,
        pane_head=np.full(accounts["panes"].shape[1], -1, np.int64),
        level_head=np.full(LEVELS - 1, -1, np.int64),
    )


def make_room(state: FeatureState, slots: int) -> None:
    """Let `state` have room for `slots` accounts, growing by half or more as needed."""
    old = state.capacity
    if slots > old:
        grown = _empty(max(slots, old + old // 2), state.accounts.dtype)
        grown[:old] = state.accounts
        state.accounts = grown


def save(state: FeatureState, slots: NDArray[np.int64]) -> Saved:
    """What `state` remembers of `slots` and of the partition."""
    shared = {"clock": state.clock.copy(), "pane_head": state.pane_head.copy(), "level_head": state.level_head.copy()}
    return Saved(state.accounts[slots], shared)


def load(state: FeatureState, slots: NDArray[np.int64], saved: Saved) -> None:
    """Put back what `save` gave. Raises `StateError` when records looked otherwise then."""
    rows = saved.rows
    if rows is None or rows.dtype != state.accounts.dtype or saved.shared["pane_head"].shape != state.pane_head.shape:
        raise StateError("the features of accounts were laid out otherwise, or engine.allowed_lateness_s was another")
    restore(state, slots, rows)
    for name in ("clock", "pane_head", "level_head"):
        getattr(state, name)[...] = saved.shared[name]


def restore(state: FeatureState, slots: NDArray[np.int64], rows: Array) -> None:
    """Put the records of some accounts back, nothing of which is open."""
    make_room(state, int(slots.max(initial=-1)) + 1)
    state.accounts[slots] = rows


def quiet(state: FeatureState, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `slots` have no window that is open: nothing of them will close."""
    accounts = state.accounts
    closed: NDArray[np.bool_] = np.all(accounts["panes"]["next"][slots] == NOT_LISTED, axis=1)
    closed &= np.all(accounts["levels"]["next"][slots] == NOT_LISTED, axis=1)
    return closed


def _empty(slots: int, record: np.dtype[np.void]) -> NDArray[np.void]:
    accounts = np.zeros(slots, record)
    accounts["last_ts"] = -1
    accounts["last_window"] = -1
    accounts["panes"]["next"] = NOT_LISTED
    accounts["levels"]["next"] = NOT_LISTED
    return accounts
