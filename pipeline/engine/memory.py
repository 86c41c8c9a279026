"""What an engine remembers, taken out and put back: which accounts have changed, and which parts their settings still fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.engine.identity import AccountSlots
from pipeline.state import EngineState, Part, Saved, StateError
from pipeline.state.saved import Int64


@dataclass(frozen=True, slots=True)
class Remembering:
    """A part of the engine that remembers. `settings` are those that give its state a meaning."""

    settings: str
    save: Callable[[Int64, bool], Saved]
    """Of the slots, and whether all is wanted or what is new since it was last saved."""
    load: Callable[[Int64, Saved], None]
    needed: bool = False
    """Without it nothing else can go on."""


class Memory:
    """The parts of one engine, by name, and the accounts that changed since they were last saved."""

    def __init__(self, partition: int, accounts: AccountSlots, parts: Mapping[str, Remembering]) -> None:
        self._partition = partition
        self._accounts = accounts
        self._parts = parts
        self._changed = np.zeros(64, np.bool_)
        self._saved_accounts = -1
        """Accounts at the last save; -1 before the first, when nothing need be noted."""

    def note(self, slots: Int64) -> None:
        """The accounts of `slots` have changed."""
        if self._saved_accounts < 0 or not slots.size:
            return
        old = self._changed.size
        if len(self._accounts) > old:
            grown = np.zeros(max(len(self._accounts), 2 * old), np.bool_)
            grown[:old] = self._changed
            self._changed = grown
        self._changed[slots] = True

    def save(self, *, whole: bool) -> EngineState:
        """All that is remembered, or what has changed since the last time; the first is whole whatever is asked for."""
        whole = whole or self._saved_accounts < 0
        count = len(self._accounts)
        slots = np.arange(count) if whole else np.flatnonzero(self._changed[:count])
        parts = {name: Part(part.settings, part.save(slots, whole)) for name, part in self._parts.items()}
        first_new = 0 if whole else self._saved_accounts
        self._saved_accounts = count
        self._changed = np.zeros(max(64, count), np.bool_)
        return EngineState(self._partition, first_new, self._accounts.account_of[first_new:], slots, parts)

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
            self._accounts.of(state.accounts)
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
        return sorted(anew)
