"""River's `GaussianScorer` for all accounts of a partition at once."""

from __future__ import annotations

import math

import numba
import numpy as np

from pipeline.detectors.base import Float64, Int64
from pipeline.detectors.compiled import CompiledDetector

_N, _MEAN, _SQUARES = 0, 1, 2


class GaussianDetector(CompiledDetector):
    """The numbers of `river.anomaly.GaussianScorer` without a window: how far into a tail of the account's normal distribution
    its last feature lies, twice the distance of the distribution function from one half.

    Mean and variance follow Welford (1962), as in River.
    """

    def __init__(self, name: str, width: int, fill_zeros: bool, shared: bool, *, grace_period: int = 100) -> None:
        """`grace_period` is the number of observations before which the score is 0."""
        super().__init__(name, width, fill_zeros, shared, state_width=3, state_dtype=np.dtype(np.float64))
        self._grace_period = float(grace_period)

    def _score_and_learn(self, rows: Int64, values: Float64, zeros: Int64, raw: Float64) -> None:
        _gaussian(rows, np.ascontiguousarray(values[:, -1]), zeros, self._state, self._grace_period, raw)


@numba.njit(cache=True, inline="always")
def _learn(state, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    before = state[_MEAN]
    state[_N] += 1.0
    state[_MEAN] = before + (1.0 / state[_N]) * (value - before)
    state[_SQUARES] += (value - before) * (value - state[_MEAN])


@numba.njit(cache=True)
def _gaussian(rows, values, zeros, states, grace_period, raw):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for i in range(rows.size):
        state = states[rows[i]]
        for _ in range(zeros[i]):
            _learn(state, 0.0)
        n = state[_N]
        if n >= grace_period:
            variance = state[_SQUARES] / (n - 1.0) if n > 1.0 else 0.0
            probability = 0.0
            # River takes the distribution function as 0 where there is no spread yet.
            if variance > 0.0:
                distance = (values[i] - state[_MEAN]) / math.sqrt(variance)
                probability = 0.5 * (1.0 + math.erf(distance / math.sqrt(2.0)))
            score = 2.0 * abs(probability - 0.5)
            raw[i] = score if math.isfinite(score) else 0.0
        _learn(state, values[i])
