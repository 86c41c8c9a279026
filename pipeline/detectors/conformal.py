"""From raw scores to calibrated ones: online conformal p-values over a sliding window."""

from __future__ import annotations

import numba
import numpy as np

from pipeline.detectors.base import Float64

_COUNT, _OLDEST = 0, 1


class ConformalCalibrator:
    """Turns a detector's raw score into 1 minus its conformal p-value among the latest `size` raw scores.

    The p-value is the share of remembered scores, this one with them, that are at least as large: on exchangeable scores it is
    super-uniform, so at most a share 1 - s of them exceeds s (Vovk et al., Algorithmic Learning in a Random World, 2005;
    Laxhammar and Falkman, 2015, for the sliding window). With n remembered the score is at most 1 - 1/(n + 1), so there
    is no alarm out of nothing.
    """

    def __init__(self, size: int) -> None:
        self._latest = np.empty(size)
        self._sorted = np.empty(size)
        self._status = np.zeros(2, np.int64)

    def calibrate(self, raw: Float64) -> Float64:
        """The scores of `raw` (N,) in [0, 1), in order; each is then remembered and the oldest forgotten."""
        scores = np.empty(raw.size)
        _calibrate(raw, self._latest, self._sorted, self._status, scores)
        return scores


@numba.njit(cache=True)
def _first_at_least(ordered, count, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True)
def _calibrate(raws, latest, ordered, status, scores):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    size = latest.size
    for i in range(raws.size):
        raw = raws[i]
        count = status[_COUNT]
        place = _first_at_least(ordered, count, raw)
        scores[i] = 1.0 - (count - place + 1) / (count + 1)
        if count < size:
            gap = count
            status[_COUNT] = count + 1
            latest[count] = raw
        else:
            oldest = status[_OLDEST]
            gap = _first_at_least(ordered, count, latest[oldest])
            latest[oldest] = raw
            status[_OLDEST] = (oldest + 1) % size
        # The place of the forgotten one moves to the new one's: only what lies between is shifted.
        if gap < place:
            for j in range(gap, place - 1):
                ordered[j] = ordered[j + 1]
            ordered[place - 1] = raw
        else:
            for j in range(gap, place, -1):
                ordered[j] = ordered[j - 1]
            ordered[place] = raw
