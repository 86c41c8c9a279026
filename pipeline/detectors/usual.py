"""What is usual in a partition: the reasons of models that give a score and do not say why."""

from __future__ import annotations

import math

import numba
import numpy as np

from pipeline.detectors.base import Float64
from pipeline.state.saved import Array

#: Rows of the partition count half after 50,000 more.
_DECAY = 0.5 ** (1.0 / 50_000.0)
_SMALLEST_SCALE = 1e-3
_NAMES = ("weight", "mean", "variance")


class Usual:
    """Means and variances of a partition's rows, with exponential forgetting."""

    def __init__(self, width: int) -> None:
        """`width` is the number of features."""
        self._moments = (np.zeros(1), np.zeros(width), np.zeros(width))

    def compare(self, values: Float64) -> tuple[Float64, Float64]:
        """Means and squared distances from them in deviations, (N, F) each, of rows seen before they are learnt."""
        expected = np.empty(values.shape)
        weight = np.empty(values.shape)
        compare_with_usual(np.ascontiguousarray(values), *self._moments, _DECAY, expected, weight)
        return expected, weight

    def save(self) -> dict[str, Array]:
        """The moments."""
        return dict(zip(_NAMES, (array.copy() for array in self._moments), strict=True))

    def load(self, shared: dict[str, Array]) -> None:
        """Put back what `save` gave; other entries are left alone."""
        for name, array in zip(_NAMES, self._moments, strict=True):
            array[...] = shared[name]


@numba.njit(cache=True)
def compare_with_usual(values, total, mean, variance, decay, expected, weight):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Compare each row with the moments of the rows before it (as `Moments` has them), then learn it."""
    for i in range(values.shape[0]):
        kept = total[0] * decay
        part = 1.0 / (kept + 1.0)
        for f in range(values.shape[1]):
            delta = values[i, f] - mean[f]
            distance = delta / max(math.sqrt(variance[f]), _SMALLEST_SCALE)
            expected[i, f] = mean[f]
            weight[i, f] = distance * distance
            mean[f] += delta * part
            variance[f] = (1.0 - part) * (variance[f] + part * delta * delta)
        total[0] = kept + 1.0
