"""From raw scores to calibrated ones: online conformal p-values over a sliding window."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque


class ConformalCalibrator:
    """Turns a detector's raw score into 1 minus its conformal p-value among the latest `size` raw scores.

    The p-value is the share of remembered scores, this one with them, that are at least as large: on exchangeable scores it is
    super-uniform, so at most a share 1 - s of them exceeds s (Vovk et al., Algorithmic Learning in a Random
    World, 2005; Laxhammar and Falkman, 2015, for the sliding window). With n remembered the score is at most 1 - 1/(n + 1), so
    there is no alarm out of nothing.
    """

    __slots__ = ("_recent", "_size", "_sorted")

    def __init__(self, size: int) -> None:
        self._size = size
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def calibrate(self, raw: float) -> float:
        """The score of `raw` in [0, 1); then `raw` is remembered and the oldest forgotten."""
        ordered = self._sorted
        count = len(ordered)
        at_least = count - bisect_left(ordered, raw)
        if count == self._size:
            del ordered[bisect_left(ordered, self._recent.popleft())]
        insort(ordered, raw)
        self._recent.append(raw)
        return 1.0 - (at_least + 1) / (count + 1)
