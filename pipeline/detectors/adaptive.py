"""Scores kept calibrated for each account: adaptive conformal inference at two levels."""

from __future__ import annotations

import math

import numba
import numpy as np

from pipeline.detectors.base import Float64, Int64
from pipeline.detectors.compiled import with_room
from pipeline.state import Saved, StateError
from pipeline.state.saved import Array

#: Shares of an account's scores that are to lie above 0.99 and 0.999, and how far a score that does, moves its level, in nats.
_SHARES = (0.01, 0.001)
_STEPS = (0.1, 0.1)
_LEVELS = (-math.log(_SHARES[0]), -math.log(_SHARES[1]))
_LEAST_APART = 0.5
_LARGEST = 1.0 - 1e-7


class AdaptiveLevels:
    """Moves an account's scores so that in the long run a share of 1% lies above 0.99 and of 0.1% above 0.999.

    A score of the partition is -ln(1 - score) nats. For each account two levels are kept, where it has its own 99th and 99.9th
    percentile: a score above a level raises it by a step less the share, one below lowers it by the share of a step, which
    holds the long-run share at the level whatever the account does (Gibbs and Candes 2021, Adaptive conformal inference under
    distribution shift). Levels begin where the partition has them and move slowly, which shrinks an account of few calls to
    the others. A score is moved by the line through the levels, so that the order within an account stays.
    """

    def __init__(self) -> None:
        # How far each level lies from where it is for all, the upper one from its place above the lower; zeros at first.
        self._moved = np.zeros((64, 2), np.float32)

    def adapt(self, slots: Int64, scores: Float64) -> Float64:
        """The scores (N,) of accounts `slots` (N,) moved, in order; each then moves its account's levels."""
        self._moved = with_room(self._moved, int(slots.max(initial=-1)) + 1)
        out = np.empty(scores.size)
        _adapt(slots, scores, self._moved, out)
        return out

    def save(self, slots: Int64) -> Saved:
        """The levels of `slots`."""
        self._moved = with_room(self._moved, int(slots.max(initial=-1)) + 1)
        return Saved(self._moved[slots], {})

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put back what `save` gave. Raises `StateError` when it is of another kind."""
        if saved.rows is None or saved.rows.dtype != self._moved.dtype or saved.rows.shape[1:] != (2,):
            raise StateError("the adaptive levels are of another kind")
        self.restore(slots, saved.rows)

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put the levels of some accounts back."""
        self._moved = with_room(self._moved, int(slots.max(initial=-1)) + 1)
        self._moved[slots] = rows


@numba.njit(cache=True)
def _adapt(slots, scores, moved, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for i in range(slots.size):
        account = moved[slots[i]]
        nats = -math.log(1.0 - min(max(scores[i], 0.0), _LARGEST))
        low = _LEVELS[0] + account[0]
        # The upper level goes with the lower one, whose percentile is seen ten times as often.
        high = max(low * _LEVELS[1] / _LEVELS[0] + account[1], low + _LEAST_APART)
        at = nats * _LEVELS[0] / low
        if nats > low:
            at = _LEVELS[0] + (nats - low) * (_LEVELS[1] - _LEVELS[0]) / (high - low)
        out[i] = min(1.0 - math.exp(-at), _LARGEST)
        for k in range(2):
            beyond = nats > (low if k == 0 else high)
            account[k] += _STEPS[k] * ((1.0 if beyond else 0.0) - _SHARES[k])
        account[0] = max(account[0], -0.8 * _LEVELS[0])
