"""What an engine remembers, taken out and put back: which accounts have changed, and which parts their settings still fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.identity import AccountSlots
from pipeline.state import EngineState, Part, Saved, StateError
from pipeline.state.saved import Array, Int64


@dataclass(frozen=True, slots=True)
class Remembering:
    """A part of the engine that remembers. `settings` are those that give its state a meaning."""

    settings: str
    save: Callable[[Int64, bool], Saved]
    """Of the slots, and whether all is wanted or what is new since it was last saved."""
    load: Callable[[Int64, Saved], None]
    restore: Callable[[Int64, Array], None] | None = None
    """Put rows of some accounts back; None for a part that keeps nothing of accounts."""
    quiet: Callable[[Int64], NDArray[np.bool_]] | None = None
    """Which of the slots have nothing open here that time alone would close; None where nothing ever is."""
    needed: bool = False
    """Without it nothing else can go on."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Accounts that may leave memory, and what is remembered of them."""

    slots: Int64
    accounts: list[str]
    parts: Mapping[str, tuple[str, Array]]
    """The settings of each part and a row per account."""


class Memory:
    """The parts of one engine, by name, and the accounts that changed since they were last saved."""

    def __init__(self, partition: int, accounts: AccountSlots, parts: Mapping[str, Remembering]) -> None:
        self._partition = partition
        self._accounts = accounts
        self._parts = parts
        self._changed = np.zeros(64, np.bool_)
        # Accounts that may leave when what was taken of them is in the store, if nothing of them changes until then.
        self._leaving = np.zeros(64, np.bool_)
        self._saved_accounts = -1
        """Slots at the last save; -1 before the first, when nothing need be noted."""
        self._blank = {name: rows for name, (_, rows) in self._rows(np.zeros(1, np.int64)).items()}

    def note(self, slots: Int64) -> None:
        """The accounts of `slots` have changed."""
        if self._saved_accounts < 0 or not slots.size:
            return
        self._make_room()
        self._changed[slots] = True
        self._leaving[slots] = False

    def idle(self, candidates: Int64, most: int) -> Idle:
        """The first `most` of `candidates` that are as last saved and have nothing open, and what is remembered of them."""
        self._make_room()
        self._leaving[:] = False
        chosen = candidates[~self._changed[candidates]] if self._saved_accounts >= 0 else candidates[:0]
        for part in self._parts.values():
            if part.quiet is not None and chosen.size:
                chosen = chosen[part.quiet(chosen)]
        chosen = chosen[:most]
        self._leaving[chosen] = True
        account_of = self._accounts.account_of
        return Idle(chosen, [account_of[slot] for slot in chosen.tolist()], self._rows(chosen) if chosen.size else {})

    def evict(self, idle: Idle) -> int:
        """What `idle` took is in the store: let those leave of whom nothing has changed since; how many."""
        chosen = idle.slots[self._leaving[idle.slots]]
        self._leaving[:] = False
        self._accounts.evict(chosen)
        self._empty(chosen)
        self._changed[chosen] = False
        return int(chosen.size)

    def restore(self, accounts: list[str], parts: Mapping[str, tuple[str, Array]]) -> None:
        """Take accounts back as they left. Of a part whose settings are others now they begin anew. Raises `StateError`."""
        slots = self._accounts.restore(accounts)
        for name, part in self._parts.items():
            if part.restore is None or name not in self._blank:
                continue
            settings, rows = parts.get(name, ("", self._blank[name][:0]))
            if settings == part.settings and rows.dtype == self._blank[name].dtype and len(rows) == len(accounts):
                part.restore(slots, rows)
            elif part.needed:
                raise StateError(f"the state of {name} of accounts that come back is missing, or of other settings")
        self.note(slots)

    def _rows(self, slots: Int64) -> dict[str, tuple[str, Array]]:
        rows = {}
        for name, part in self._parts.items():
            if part.restore is not None and (saved := part.save(slots, False).rows) is not None:
                rows[name] = (part.settings, saved)
        return rows

    def _empty(self, slots: Int64) -> None:
        # As if nobody had ever had them.
        for name, blank in self._blank.items():
            restore = self._parts[name].restore
            if restore is not None and slots.size:
                restore(slots, np.repeat(blank, slots.size, axis=0))

    def _make_room(self) -> None:
        old, needed = self._changed.size, len(self._accounts)
        if needed > old:
            grown = np.zeros((2, max(needed, 2 * old)), np.bool_)
            grown[0, :old], grown[1, :old] = self._changed, self._leaving
            self._changed, self._leaving = grown

    def save(self, *, whole: bool) -> EngineState:
        """All that is remembered, or what has changed since the last time; the first is whole whatever is asked for."""
        whole = whole or self._saved_accounts < 0
        count = len(self._accounts)
        self._make_room()
        account_of = self._accounts.account_of
        slots = np.arange(count) if whole else np.flatnonzero(self._changed[:count])
        slots = slots[self._accounts.owned(slots)]
        parts = {name: Part(part.settings, part.save(slots, whole)) for name, part in self._parts.items()}
        first_new = 0 if whole else self._saved_accounts
        self._saved_accounts = count
        self._changed[:] = False
        reused = self._accounts.renamed()
        reused = reused[reused < first_new]
        reused_by = [account_of[slot] for slot in reused.tolist()]
        return EngineState(self._partition, first_new, account_of[first_new:], slots, parts, reused, reused_by)

    def load(self, states: Iterable[EngineState]) -> list[str]:
        """Put a whole state and the changes after it back, in order; the names of the parts that begin anew.

        A part begins anew when its settings are others now. Raises `StateError` when the rest cannot be put back either; the
        engine is then of no use.
        """
        anew: set[str] = set()
        for state in states:
            if state.partition != self._partition or state.first_new != len(self._accounts):
                raise StateError(
                    f"partition {state.partition}: a state is missing before the one of {len(self._accounts)}"
                )
            owners = [*state.accounts, *state.reused_by]
            self._accounts.assign(
                [*range(state.first_new, state.first_new + len(state.accounts)), *state.reused], owners
            )
            self._empty(state.reused)
            for name, part in self._parts.items():
                saved = state.parts.get(name)
                if saved is not None and saved.settings == part.settings:
                    try:
                        part.load(state.slots, saved.saved)
                    except (KeyError, IndexError, ValueError) as error:
                        raise StateError(f"the state of {name} does not fit: {error!r}") from error
                elif part.needed:
                    was = "missing" if saved is None else f"of other settings: {saved.settings}, now {part.settings}"
                    raise StateError(f"the state of {name} is {was}")
                else:
                    anew.add(name)
        self._accounts.index()
        return sorted(anew)
