"""`PeerLocationScale` of all accounts of a partition at once: arrays over slots and a compiled loop."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.base import Float64, Int64, Judgement
from pipeline.detectors.location_scale import CLIP, CLIP_AFTER, PEER_PATIENCE, SCALE_FLOOR
from pipeline.state import Saved

_MOMENTS = ("weight", "mean", "variance")


class PeerDetector:
    """A `pipeline.detectors.base.Detector` that gives, account by account, the numbers of `PeerLocationScale`."""

    def __init__(
        self,
        name: str,
        width: int,
        fill_zeros: bool,
        *,
        half_life: float = 168.0,
        prior: float = 24.0,
        both_sides: bool = False,
    ) -> None:
        """`width` is the number of features; the others are the parameters of `PeerLocationScale`."""
        if half_life <= 0.0 or prior <= 0.0:
            raise ValueError("half_life and prior must be positive")
        self.name = name
        self._fill_zeros = fill_zeros
        self._decays = (0.5 ** (1.0 / half_life), 0.5 ** (1.0 / (PEER_PATIENCE * half_life)))
        self._prior = float(prior)
        self._both_sides = both_sides
        self._weight = np.zeros(64)
        self._mean = np.zeros((64, width))
        self._variance = np.zeros((64, width))
        # One row more for the peers, kept apart because it never moves.
        self._peers = (np.zeros(1), np.zeros(width), np.zeros(width))

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score and learn; see `Detector`."""
        if slots.size:
            self._make_room(int(slots.max()) + 1)
        raw = np.zeros(slots.size)
        expected = np.zeros(values.shape)
        weight = np.zeros(values.shape)
        _judge(
            slots,
            np.ascontiguousarray(values),
            empty_before if self._fill_zeros else np.zeros_like(empty_before),
            (self._weight, self._mean, self._variance),
            self._peers,
            self._decays,
            self._prior,
            self._both_sides,
            (raw, expected, weight),
        )
        return Judgement(raw, expected, weight)

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots` and of the peers; see `Detector`."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        rows = np.column_stack([self._weight[slots], self._mean[slots], self._variance[slots]])
        return Saved(rows, dict(zip(_MOMENTS, (array.copy() for array in self._peers), strict=True)))

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put that back; see `Detector`."""
        assert saved.rows is not None
        self._make_room(int(slots.max(initial=-1)) + 1)
        width = self._mean.shape[1]
        rows = saved.rows.astype(np.float64)
        self._weight[slots], self._mean[slots], self._variance[slots] = (
            rows[:, 0],
            rows[:, 1 : 1 + width],
            rows[:, 1 + width :],
        )
        for name, array in zip(_MOMENTS, self._peers, strict=True):
            array[...] = saved.shared[name]

    def _make_room(self, slots: int) -> None:
        old = self._weight.size
        if slots > old:
            new = max(slots, 2 * old)
            self._weight = _grown(self._weight, new)
            self._mean = _grown(self._mean, new)
            self._variance = _grown(self._variance, new)


def _grown(array: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    grown = np.zeros((rows, *array.shape[1:]))
    grown[: array.shape[0]] = array
    return grown


@numba.njit(cache=True, inline="always")
def _update(kept, added, value, mean, variance):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # As Moments.update: mean and variance after `value` with weight `added` beside the weight `kept`.
    delta = value - mean
    part = added / (kept + added)
    return mean + delta * part, (1.0 - part) * (variance + part * delta * delta)


@numba.njit(cache=True)
def _judge(slots, values, empty_before, own, peers, decays, prior, both_sides, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    weight, mean, variance = own
    peer_weight, peer_mean, peer_variance = peers
    decay, peer_decay = decays
    raw, expected, excesses = out
    width = values.shape[1]
    for i in range(slots.size):
        slot = slots[i]
        if empty_before[i] > 0:
            power = decay ** empty_before[i]
            added = 1.0 if empty_before[i] == 1 else (1.0 - power) / (1.0 - decay)
            kept = weight[slot] * power
            for f in range(width):
                mean[slot, f], variance[slot, f] = _update(kept, added, 0.0, mean[slot, f], variance[slot, f])
            weight[slot] = kept + added
        share = weight[slot] / (weight[slot] + prior)
        nothing_known = weight[slot] == 0.0 and peer_weight[0] == 0.0
        kept = weight[slot] * decay
        peer_kept = peer_weight[0] * peer_decay
        total = 0.0
        for f in range(width):
            value = values[i, f]
            location, scale = 0.0, 1.0
            if not nothing_known:
                location = share * mean[slot, f] + (1.0 - share) * peer_mean[f]
                spread = share * variance[slot, f] + (1.0 - share) * peer_variance[f]
                scale = max(math.sqrt(spread), SCALE_FLOOR)
            excess = (value - location) / scale
            expected[i, f] = location
            if excess > 0.0 or both_sides:
                excesses[i, f] = excess * excess
                total += excess * excess
            peer_mean[f], peer_variance[f] = _update(peer_kept, 1.0, value, peer_mean[f], peer_variance[f])
            if weight[slot] >= CLIP_AFTER:
                value = min(max(value, location - CLIP * scale), location + CLIP * scale)
            mean[slot, f], variance[slot, f] = _update(kept, 1.0, value, mean[slot, f], variance[slot, f])
        raw[i] = total
        peer_weight[0] = peer_kept + 1.0
        weight[slot] = kept + 1.0
