"""`PeerLocationScale` of all accounts of a partition at once: arrays over slots and a compiled loop."""

from __future__ import annotations

import math

import numba
import numpy as np

from pipeline.detectors.base import Float64, Int64, Judgement
from pipeline.detectors.compiled import with_room
from pipeline.detectors.location_scale import CLIP, CLIP_AFTER, PEER_PATIENCE, SCALE_FLOOR
from pipeline.state import Saved, StateError
from pipeline.state.saved import Array

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
        # Of each account its weight, then means, then variances.
        self._own = np.zeros((64, 1 + 2 * width))
        # One row more for the peers, kept apart because it never moves.
        self._peers = (np.zeros(1), np.zeros(width), np.zeros(width))

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score and learn; see `Detector`."""
        self._own = with_room(self._own, int(slots.max(initial=-1)) + 1)
        raw = np.zeros(slots.size)
        expected = np.zeros(values.shape)
        weight = np.zeros(values.shape)
        _judge(
            slots,
            np.ascontiguousarray(values),
            empty_before if self._fill_zeros else np.zeros_like(empty_before),
            self._own,
            self._peers,
            self._decays,
            self._prior,
            self._both_sides,
            (raw, expected, weight),
        )
        return Judgement(raw, expected, weight)

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots` and of the peers; see `Detector`."""
        self._own = with_room(self._own, int(slots.max(initial=-1)) + 1)
        return Saved(self._own[slots], dict(zip(_MOMENTS, (array.copy() for array in self._peers), strict=True)))

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put that back; see `Detector`."""
        rows = saved.rows
        if rows is None or rows.dtype != self._own.dtype or rows.shape[1:] != self._own.shape[1:]:
            raise StateError(f"the state of detector {self.name} is of another kind")
        self.restore(slots, rows)
        for name, array in zip(_MOMENTS, self._peers, strict=True):
            array[...] = saved.shared[name]

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put the rows of some accounts back; see `Detector`."""
        self._own = with_room(self._own, int(slots.max(initial=-1)) + 1)
        self._own[slots] = rows


@numba.njit(cache=True, inline="always")
def _update(kept, added, value, mean, variance):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # As Moments.update: mean and variance after `value` with weight `added` beside the weight `kept`.
    delta = value - mean
    part = added / (kept + added)
    return mean + delta * part, (1.0 - part) * (variance + part * delta * delta)


@numba.njit(cache=True)
def _judge(slots, values, empty_before, own, peers, decays, prior, both_sides, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    peer_weight, peer_mean, peer_variance = peers
    decay, peer_decay = decays
    raw, expected, excesses = out
    width = values.shape[1]
    for i in range(slots.size):
        # Views of the account's row.
        account = own[slots[i]]
        mean, variance = account[1 : 1 + width], account[1 + width :]
        if empty_before[i] > 0:
            power = decay ** empty_before[i]
            added = 1.0 if empty_before[i] == 1 else (1.0 - power) / (1.0 - decay)
            kept = account[0] * power
            for f in range(width):
                mean[f], variance[f] = _update(kept, added, 0.0, mean[f], variance[f])
            account[0] = kept + added
        share = account[0] / (account[0] + prior)
        nothing_known = account[0] == 0.0 and peer_weight[0] == 0.0
        kept = account[0] * decay
        peer_kept = peer_weight[0] * peer_decay
        total = 0.0
        for f in range(width):
            value = values[i, f]
            location, scale = 0.0, 1.0
            if not nothing_known:
                location = share * mean[f] + (1.0 - share) * peer_mean[f]
                spread = share * variance[f] + (1.0 - share) * peer_variance[f]
                scale = max(math.sqrt(spread), SCALE_FLOOR)
            excess = (value - location) / scale
            expected[i, f] = location
            if excess > 0.0 or both_sides:
                excesses[i, f] = excess * excess
                total += excess * excess
            peer_mean[f], peer_variance[f] = _update(peer_kept, 1.0, value, peer_mean[f], peer_variance[f])
            if account[0] >= CLIP_AFTER:
                value = min(max(value, location - CLIP * scale), location + CLIP * scale)
            mean[f], variance[f] = _update(kept, 1.0, value, mean[f], variance[f])
        raw[i] = total
        peer_weight[0] = peer_kept + 1.0
        account[0] = kept + 1.0
