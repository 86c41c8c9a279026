"""What the engine asks of a detector, and what it hears back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.state import Saved
from pipeline.state.saved import Array

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a detector thought of N rows of F features, each row seen before it was learnt."""

    raw: Float64
    """(N,): 0 for nothing strange, larger when stranger, finite, no upper limit."""
    expected: Float64
    """(N, F): the value that was expected of each feature."""
    weight: Float64
    """(N, F): what each feature added to the raw score, not negative, on any scale of the row's own."""
    names: tuple[str, ...] | None = None
    """The F features, where they are the detector's own and not those it was given."""
    observed: Float64 | None = None
    """(N, F): the values of the detector's own features."""


class Detector(Protocol):
    """A model for each account slot, or one for all slots.

    Deterministic, and one row at a time in order: rows of several calls give what they would in one call.
    """

    name: str

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score each row, then learn it, in order.

        `slots` (N,) are the accounts, `values` (N, F) the features that the settings name, in their order, `empty_before` (N,)
        the windows without a call between the account's previous row and this one.
        """

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots`, each once, and of all accounts together."""

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put back what `save` gave. Raises `pipeline.state.StateError` when it cannot be."""

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put back the rows that `save` gave of some accounts, and nothing of what all share."""
