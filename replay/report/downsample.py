"""Fewer points that look the same: the least and the greatest of each group are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

#: Points of a line at most; more than the columns of a wide screen are not seen.
MOST_POINTS = 1200


def fewer(x: Float64, y: Float64, most: int = MOST_POINTS) -> tuple[Float64, Float64]:
    """At most `most` of the points, in their order, with every peak and trough of a group of neighbours among them."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), max(most // 2, 1) + 1).astype(np.int64)
    kept: set[int] = set()
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if end > start:
            group = y[start:end]
            kept.update((start + int(group.argmin()), start + int(group.argmax())))
    chosen = np.array(sorted(kept), np.int64)
    return x[chosen], y[chosen]


def windows_filled(starts: Float64, values: Float64, from_ms: float, to_ms: float, step_ms: float) -> Float64:
    """One value for each window from `from_ms` on; 0 where an account made no call."""
    filled = np.zeros(max(int(np.ceil((to_ms - from_ms) / step_ms)), 1))
    places = ((starts - from_ms) // step_ms).astype(np.int64)
    inside = (places >= 0) & (places < filled.size)
    np.add.at(filled, places[inside], values[inside])
    return filled
