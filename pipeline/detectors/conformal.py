"""From raw scores to calibrated ones: online conformal p-values over a sliding window."""

from __future__ import annotations

import numba
import numpy as np

from pipeline.detectors.base import Float64
from pipeline.state import Saved, StateError

#: Scores that a block of the ordered window holds at most. Finding, adding and removing cost about this much each.
BLOCK = 128
_COUNT, _OLDEST, _BLOCKS, _TOTAL = 0, 1, 2, 3


class ConformalCalibrator:
    """Turns a detector's raw score into 1 minus its conformal p-value among the latest `size` raw scores.

    The p-value is the share of remembered scores, this one with them, that are at least as large: on exchangeable scores it is
    super-uniform, so at most a share 1 - s of them exceeds s (Vovk et al., Algorithmic Learning in a Random World, 2005;
    Laxhammar and Falkman, 2015, for the sliding window). With n remembered the score is at most 1 - 1/(n + 1), so there
    is no alarm out of nothing.

    The window is kept twice: in the order of arrival, and sorted in a list of blocks, so that neither the rank nor a change costs
    more than a look at one block and at the blocks' sizes.
    """

    def __init__(self, size: int) -> None:
        self._latest = np.empty(size)
        # Any two neighbouring blocks together are more than half full, which bounds their number.
        blocks = 4 * size // BLOCK + 3
        self._values = np.empty((blocks, BLOCK))
        self._sizes = np.zeros(blocks, np.int64)
        self._status = np.zeros(4, np.int64)
        self._saved = 0

    def calibrate(self, raw: Float64) -> Float64:
        """The scores of `raw` (N,) in [0, 1), in order; each is then remembered and the oldest forgotten."""
        scores = np.empty(raw.size)
        _calibrate(raw, self._latest, self._values, self._sizes, self._status, scores)
        return scores

    def save(self, *, whole: bool) -> Saved:
        """The window, or what has come into it since it was last saved."""
        status, size = self._status, self._latest.size
        total = int(status[_TOTAL])
        count = int(status[_COUNT])
        whole = whole or total - self._saved >= size
        new = count if whole else total - self._saved
        self._saved = total
        newest = self._latest[(status[_OLDEST] + np.arange(count - new, count)) % size]
        return Saved(shared={"newest": newest, "total": np.array([total]), "whole": np.array([whole])})

    def load(self, saved: Saved) -> None:
        """Put back what `save` gave: the whole window, or what came after the one put back before. Raises `StateError`."""
        newest, total = saved.shared["newest"].astype(np.float64), int(saved.shared["total"][0])
        if saved.shared["whole"][0]:
            self._status[:], self._sizes[:] = 0, 0
        elif total - newest.size > self._status[_TOTAL]:
            raise StateError("calibration scores between this state and the one before it are missing")
        self.calibrate(newest)
        self._status[_TOTAL] = self._saved = total


@numba.njit(cache=True)
def _block_of(values, sizes, blocks, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # The first block whose largest score is at least `value`; the last one when there is none.
    low, high = 0, blocks - 1
    while low < high:
        middle = (low + high) // 2
        if values[middle, sizes[middle] - 1] < value:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True)
def _place_in(block, size, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if block[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True)
def _add(values, sizes, status, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # A full block is split in halves first.
    blocks = status[_BLOCKS]
    if blocks == 0:
        values[0, 0] = value
        sizes[0] = 1
        status[_BLOCKS] = 1
        return
    b = _block_of(values, sizes, blocks, value)
    if sizes[b] == BLOCK:
        for other in range(blocks, b + 1, -1):
            values[other] = values[other - 1]
            sizes[other] = sizes[other - 1]
        half = BLOCK // 2
        values[b + 1, : BLOCK - half] = values[b, half:]
        sizes[b] = half
        sizes[b + 1] = BLOCK - half
        status[_BLOCKS] = blocks + 1
        if values[b, half - 1] < value:
            b += 1
    place = _place_in(values[b], sizes[b], value)
    for j in range(sizes[b], place, -1):
        values[b, j] = values[b, j - 1]
    values[b, place] = value
    sizes[b] += 1


@numba.njit(cache=True)
def _merge(values, sizes, status, b):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Put block b + 1 into block b when one of them is empty or both together are at most half full.
    if b < 0 or b + 1 >= status[_BLOCKS]:
        return
    if sizes[b] > 0 and sizes[b + 1] > 0 and sizes[b] + sizes[b + 1] > BLOCK // 2:
        return
    values[b, sizes[b] : sizes[b] + sizes[b + 1]] = values[b + 1, : sizes[b + 1]]
    sizes[b] += sizes[b + 1]
    for other in range(b + 1, status[_BLOCKS] - 1):
        values[other] = values[other + 1]
        sizes[other] = sizes[other + 1]
    status[_BLOCKS] -= 1


@numba.njit(cache=True)
def _remove(values, sizes, status, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    b = _block_of(values, sizes, status[_BLOCKS], value)
    place = _place_in(values[b], sizes[b], value)
    for j in range(place, sizes[b] - 1):
        values[b, j] = values[b, j + 1]
    sizes[b] -= 1
    _merge(values, sizes, status, b)
    _merge(values, sizes, status, b - 1)


@numba.njit(cache=True)
def _at_least(values, sizes, blocks, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    if blocks == 0:
        return 0
    b = _block_of(values, sizes, blocks, value)
    found = sizes[b] - _place_in(values[b], sizes[b], value)
    for other in range(b + 1, blocks):
        found += sizes[other]
    return found


@numba.njit(cache=True)
def _calibrate(raws, latest, values, sizes, status, scores):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for i in range(raws.size):
        raw = raws[i]
        count = status[_COUNT]
        scores[i] = 1.0 - (_at_least(values, sizes, status[_BLOCKS], raw) + 1) / (count + 1)
        if count < latest.size:
            latest[count] = raw
            status[_COUNT] = count + 1
        else:
            oldest = status[_OLDEST]
            _remove(values, sizes, status, latest[oldest])
            latest[oldest] = raw
            status[_OLDEST] = (oldest + 1) % latest.size
        _add(values, sizes, status, raw)
        status[_TOTAL] += 1
