"""What was usual for an account: quantiles of its own windows before anything was held against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_DAY_MS = 86_400_000
#: Days of an account's own past from which each time of day has a band of its own; fewer give one band for all.
_DAYS_FOR_TIMES_OF_DAY = 7
#: Windows of an account's own past without which nothing is said.
_FEWEST_WINDOWS = 24
QUANTILES = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Band:
    """Between which values most windows lay, one pair for each window shown."""

    low: Float64
    high: Float64
    days: float
    """Length of the past it is made of."""


def usual_band(values: Float64, first: int, until: int, step_ms: int) -> Band | None:
    """The band of windows `first` to `until` (exclusive), laid over all windows; None when they are too few.

    `values` has every window of the run, 0 where the account was silent. By time of day where there is a week and more of it.
    """
    past = values[first:until]
    if past.size < _FEWEST_WINDOWS:
        return None
    days = past.size * step_ms / _DAY_MS
    a_day = _DAY_MS // step_ms if step_ms < _DAY_MS else 1
    if a_day == 1 or days < _DAYS_FOR_TIMES_OF_DAY:
        low, high = np.quantile(past, QUANTILES)
        return Band(np.full(values.size, low), np.full(values.size, high), days)
    times = np.arange(values.size) % a_day
    low, high = np.zeros(values.size), np.zeros(values.size)
    for time in range(a_day):
        # An hour and its neighbours: a week has seven of an hour, too few for a twentieth.
        near = np.isin(times[first:until], [(time + shift) % a_day for shift in (-1, 0, 1)])
        low[times == time], high[times == time] = np.quantile(past[near], QUANTILES)
    return Band(low, high, days)
