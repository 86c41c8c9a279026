"""How far a value lies from all that an account has done before: an online novelty filter over arrays of accounts."""

from __future__ import annotations

import math

import numba
import numpy as np

from pipeline.detectors.base import Float64, Int64, Judgement
from pipeline.detectors.compiled import MOST_ZEROS, with_room
from pipeline.state import Saved, StateError
from pipeline.state.saved import Array

#: Sizes of novelty are counted by octaves of the range: from all of it down to a thousandth. Less is nothing new.
OCTAVES = 10
#: Larger values count as this, so that no difference of two overflows.
_LARGEST = 1e300
#: The state of a feature: values in memory, smallest gap between two, rows learnt, decayed rows counted, evidence of the alarm
#: that fades, habituation; then counts by octave and the memory in ascending order with room for one more.
_KNOWN, _GAP, _ROWS, _COUNTED, _PEAK, _HABIT, _COUNTS = range(7)
_MEMORY = _COUNTS + OCTAVES


class NoveltyDetector:
    """A `pipeline.detectors.base.Detector` of values that an account has never come near; sudden or not, high, low or between.

    Each feature is judged alone. Its novelty r is the distance to the nearest value in memory as a share of the range in
    memory (nearest-neighbour novelty: Marsland, Novelty Detection in Learning Systems, 2003). The evidence is -ln(p) * sqrt(r):
    p is the share of the account's recent rows at least as new (the rank of conformal anomaly detection, Laxhammar and Falkman
    2015, with forgetting), r keeps what is rare and tiny from counting. An alarm that goes on is one alarm: evidence below
    the fading peak of the last gives 0. And what is new again and again alarms less (habituation: Marsland, Shapiro and
    Nehmzow, A self-organising network that grows when required, 2002): evidence is divided by 1 + `habituation` times
    the decayed sum of the evidence before.

    The memory is bounded: of the two closest values one is dropped for a new one, and a value closer than any two in memory
    is not kept unless it widens the range. So it covers the range evenly, whatever was frequent, and keeps its ends.
    """

    def __init__(
        self,
        name: str,
        width: int,
        fill_zeros: bool,
        *,
        memory: int = 128,
        half_life: float = 1000.0,
        refractory: float = 50.0,
        habituation: float = 0.1,
        learning: int = 100,
    ) -> None:
        """`width` is the number of features.

        `memory` is the values kept of each; `half_life` the rows after which counts and habituation are halved, `refractory`
        those after which an alarm's peak is; in the first `learning` rows of an account nothing is evidence.
        """
        if not isinstance(memory, int) or memory < 2 or half_life <= 0 or refractory <= 0:
            raise ValueError("memory must be a whole number from 2 on, half_life and refractory must be positive")
        if habituation < 0 or learning < 0:
            raise ValueError("habituation and learning must not be negative")
        self.name = name
        self._fill_zeros = fill_zeros
        self._decays = (0.5 ** (1.0 / half_life), 0.5 ** (1.0 / refractory))
        self._habituation = float(habituation)
        self._learning = float(learning)
        self._state = np.zeros((1, width, _MEMORY + memory + 1))

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score and learn; the expected value is the nearest known one. See `Detector`."""
        self._state = with_room(self._state, int(slots.max(initial=-1)) + 1)
        zeros = np.minimum(empty_before, MOST_ZEROS) if self._fill_zeros else np.zeros_like(empty_before)
        expected = np.zeros(values.shape)
        weight = np.zeros(values.shape)
        bounded = np.clip(np.nan_to_num(values), -_LARGEST, _LARGEST)
        _judge(slots, bounded, zeros, self._state, self._decays, self._habituation, self._learning, expected, weight)
        return Judgement(weight.sum(axis=1), expected, weight)

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots`; see `Detector`."""
        self._state = with_room(self._state, int(slots.max(initial=-1)) + 1)
        return Saved(self._state[slots])

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put that back; see `Detector`."""
        rows = saved.rows
        if rows is None or rows.dtype != self._state.dtype or rows.shape[1:] != self._state.shape[1:]:
            raise StateError(f"the state of detector {self.name} is of another kind")
        self.restore(slots, rows)

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put the rows of some accounts back; see `Detector`."""
        self._state = with_room(self._state, int(slots.max(initial=-1)) + 1)
        self._state[slots] = rows


@numba.njit(cache=True)
def _smallest_gap(known):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    at, gap = 1, known[1] - known[0]
    for j in range(2, known.size):
        if known[j] - known[j - 1] < gap:
            at, gap = j, known[j] - known[j - 1]
    return at, gap


@numba.njit(cache=True)
def _remember(state, value, place):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Keep `value` at `place` of the memory; when that is full, without one of its two closest values.
    memory = state[_MEMORY:]
    known = int(state[_KNOWN]) + 1
    for j in range(known - 1, place, -1):
        memory[j] = memory[j - 1]
    memory[place] = value
    if known == memory.size:
        at, _ = _smallest_gap(memory)
        # Of the two the one that has its other neighbour closer, but never an end of the range.
        if at == known - 1 or (at > 1 and memory[at - 1] - memory[at - 2] < memory[at + 1] - memory[at]):
            at -= 1
        for j in range(at, known - 1):
            memory[j] = memory[j + 1]
        known -= 1
        state[_GAP] = _smallest_gap(memory[:known])[1]
    state[_KNOWN] = known


@numba.njit(cache=True)
def _nearest(known, place, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    if place == known.size or (place > 0 and value - known[place - 1] <= known[place] - value):
        return known[place - 1]
    return known[place]


@numba.njit(cache=True)
def _surprise(state, octave):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # -ln of the share of counted rows at least as new. Within an octave they are taken to be spread evenly in the logarithm.
    whole = int(octave)
    at_least = (octave - whole) * state[_COUNTS + whole]
    for j in range(whole):
        at_least += state[_COUNTS + j]
    return -math.log((at_least + 1.0) / (state[_COUNTED] + 1.0))


@numba.njit(cache=True)
def _step(state, value, decays, habituation, learning):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Score and learn a value of one feature. Returns the evidence, and the nearest value known before.
    decay, fading = decays
    memory = state[_MEMORY:]
    known = memory[: int(state[_KNOWN])]
    place = np.searchsorted(known, value)
    nearest = value if known.size == 0 else _nearest(known, place, value)
    distance = abs(value - nearest)
    novelty = 0.0
    if distance > 0.0:
        novelty = 1.0 if known.size == 1 else min(distance / (known[-1] - known[0]), 1.0)
    octave = -math.log2(novelty) if novelty > 0.0 else float(OCTAVES)
    evidence = 0.0
    if octave < OCTAVES:
        evidence = _surprise(state, octave) * math.sqrt(novelty)
    state[_PEAK] *= fading
    state[_HABIT] *= decay
    score = 0.0
    if evidence > state[_PEAK]:
        score = evidence / (1.0 + habituation * state[_HABIT])
        state[_HABIT] += evidence - state[_PEAK]
        state[_PEAK] = evidence
    if state[_ROWS] >= learning:
        state[_COUNTED] = state[_COUNTED] * decay + 1.0
        for j in range(OCTAVES):
            state[_COUNTS + j] *= decay
        if octave < OCTAVES:
            state[_COUNTS + int(octave)] += 1.0
    state[_ROWS] += 1.0
    if known.size < memory.size - 1:
        worth = known.size == 0 or distance > 0.0
    else:
        # The ends of the range are kept exactly.
        worth = distance > state[_GAP] or (distance > 0.0 and (place == 0 or place == known.size))
    if worth:
        _remember(state, value, place)
    return score, nearest


@numba.njit(cache=True)
def _judge(slots, values, zeros, states, decays, habituation, learning, expected, weight):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for i in range(slots.size):
        for f in range(values.shape[1]):
            state = states[slots[i], f]
            for _ in range(zeros[i]):
                _step(state, 0.0, decays, habituation, learning)
            weight[i, f], expected[i, f] = _step(state, values[i, f], decays, habituation, learning)
