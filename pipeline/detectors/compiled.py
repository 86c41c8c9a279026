"""Models of River for all accounts of a partition at once: River's numbers from arrays and a compiled loop.

River asks for a call per row and an object per account. Here an account is a row of one array, and a batch is one call; tests
hold every such model to the numbers of River's own. See docs/decisions/0005-rivers-numbers-compiled.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.base import Float64, Int64, Judgement
from pipeline.detectors.usual import Usual
from pipeline.state import Saved, StateError
from pipeline.state.saved import Array

#: Empty windows that are learnt at most, one by one.
MOST_ZEROS = 168
_FIRST_ROOM = 64


class CompiledDetector(ABC):
    """A `pipeline.detectors.base.Detector` whose state of an account is a row of `_state`, at first all zeros."""

    def __init__(
        self, name: str, width: int, fill_zeros: bool, shared: bool, *, state_width: int, state_dtype: np.dtype[Any]
    ) -> None:
        """`width` is the number of features; with `shared` all accounts have the one model of row 0."""
        self.name = name
        self._fill_zeros = fill_zeros
        self._shared = shared
        self._usual = Usual(width)
        self._state: NDArray[Any] = np.zeros((1 if shared else _FIRST_ROOM, state_width), state_dtype)

    @abstractmethod
    def _score_and_learn(self, rows: Int64, values: Float64, zeros: Int64, raw: Float64) -> None:
        """For each of `rows` of the state learn `zeros` rows of zeros, set `raw` to the score of the values, learn them."""

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score and learn; see `Detector`."""
        rows = np.zeros_like(slots) if self._shared else slots
        self._state = with_room(self._state, int(rows.max(initial=-1)) + 1)
        zeros = np.minimum(empty_before, MOST_ZEROS) if self._fill_zeros else np.zeros_like(empty_before)
        raw = np.zeros(slots.size)
        self._score_and_learn(rows, np.ascontiguousarray(values), zeros, raw)
        return Judgement(raw, *self._usual.compare(values))

    def save(self, slots: Int64) -> Saved:
        """The models of `slots`; see `Detector`."""
        shared = self._usual.save()
        if self._shared:
            return Saved(None, {**shared, "model": self._state.copy()})
        self._state = with_room(self._state, int(slots.max(initial=-1)) + 1)
        return Saved(self._state[slots], shared)

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put models back; see `Detector`."""
        rows = saved.shared.get("model") if self._shared else saved.rows
        if rows is None or rows.dtype != self._state.dtype or rows.shape[1:] != self._state.shape[1:]:
            raise StateError(f"the state of detector {self.name} is of another kind")
        self._usual.load(dict(saved.shared))
        if self._shared:
            self._state[...] = rows
        else:
            self.restore(slots, rows)

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put the models of some accounts back; see `Detector`."""
        self._state = with_room(self._state, int(slots.max(initial=-1)) + 1)
        self._state[slots] = rows


def with_room(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """`array` with room for `rows`: itself, or a larger one with zeros in the new rows."""
    old = array.shape[0]
    if rows <= old:
        return array
    grown = np.zeros((max(rows, 2 * old), *array.shape[1:]), array.dtype)
    grown[:old] = array
    return grown
