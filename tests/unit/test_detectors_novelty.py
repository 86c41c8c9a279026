"""Novelty: a value is as strange as it is far from all before, and the compiled loop does what its description says."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detectors.build import DetectorError, build_detectors
from pipeline.detectors.novelty import OCTAVES, NoveltyDetector
from pipeline.settings import DetectorSettings


def raw_of(detector: NoveltyDetector, values: list[float], slot: int = 0) -> list[float]:
    column = np.array(values, float)[:, None]
    slots = np.full(len(values), slot)
    return detector.judge(slots, column, np.zeros_like(slots)).raw.tolist()


class PlainNovelty:
    """The description in plain Python, with a memory without bound."""

    def __init__(self, half_life: float, refractory: float, habituation: float, learning: int) -> None:
        self.decay, self.fading = 0.5 ** (1 / half_life), 0.5 ** (1 / refractory)
        self.habituation, self.learning = habituation, learning
        self.known: list[float] = []
        self.counts = [0.0] * OCTAVES
        self.rows, self.counted, self.peak, self.habit = 0, 0.0, 0.0, 0.0

    def score(self, value: float) -> float:
        distance = min((abs(value - one) for one in self.known), default=0.0)
        extent = max(self.known) - min(self.known) if self.known else 0.0
        novelty = 0.0 if distance == 0 else 1.0 if extent == 0 else min(distance / extent, 1.0)
        octave = -math.log2(novelty) if novelty else math.inf
        evidence = 0.0
        if octave < OCTAVES:
            at_least = sum(self.counts[: int(octave)]) + octave % 1 * self.counts[int(octave)]
            evidence = -math.log((at_least + 1) / (self.counted + 1)) * math.sqrt(novelty)
        self.peak *= self.fading
        self.habit *= self.decay
        score = 0.0
        if evidence > self.peak:
            score = evidence / (1 + self.habituation * self.habit)
            self.habit += evidence - self.peak
            self.peak = evidence
        if self.rows >= self.learning:
            self.counted = self.counted * self.decay + 1
            self.counts = [count * self.decay for count in self.counts]
            if octave < OCTAVES:
                self.counts[int(octave)] += 1
        self.rows += 1
        self.known.append(value)
        return score


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-100, 100)), max_size=80),
    st.integers(0, 20),
    st.floats(0, 2),
)
def test_the_compiled_loop_gives_the_numbers_of_the_description(
    values: list[float], learning: int, habituation: float
) -> None:
    detector = NoveltyDetector(
        "d", 1, False, memory=100, half_life=30, refractory=4, habituation=habituation, learning=learning
    )
    plain = PlainNovelty(30, 4, habituation, learning)
    assert raw_of(detector, values) == pytest.approx([plain.score(value) for value in values], rel=1e-9, abs=1e-12)


def test_a_far_value_is_strange_once_and_known_afterwards() -> None:
    source = np.random.default_rng(1)
    detector = NoveltyDetector("d", 1, False)
    ordinary = source.normal(5, 1, 1000).tolist()
    raw_of(detector, ordinary)
    assert raw_of(detector, [30.0])[0] > 3
    assert max(raw_of(detector, source.normal(5, 1, 300).tolist())) < 0.5
    assert raw_of(detector, [30.0]) == [0.0]


def test_a_value_between_two_usual_ones_is_strange() -> None:
    detector = NoveltyDetector("d", 1, False)
    raw_of(detector, [0.0, 10.0] * 200)
    one = detector.judge(np.zeros(1, np.int64), np.array([[4.0]]), np.zeros(1, np.int64))
    assert one.raw[0] > 2
    assert one.expected.tolist() == [[0.0]]


def test_an_alarm_that_goes_on_is_one_alarm_and_one_that_comes_again_and_again_grows_weaker() -> None:
    detector = NoveltyDetector("d", 1, False)
    raw_of(detector, [0.0, 1.0] * 200)
    rising = raw_of(detector, [3.0, 4.0, 5.0, 6.0])
    assert rising[0] > 1
    assert rising[1:] == [0.0, 0.0, 0.0]
    height = 10.0
    alarms = []
    for _ in range(6):
        height *= 2
        raw_of(detector, [0.0, 1.0] * 200)
        alarms += raw_of(detector, [height])
    assert all(later < earlier for earlier, later in itertools.pairwise(alarms))


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=200), st.integers(2, 12))
def test_a_full_memory_keeps_the_ends_and_values_that_were_there(values: list[float], size: int) -> None:
    detector = NoveltyDetector("d", 1, False, memory=size)
    raw_of(detector, values)
    nearest = detector.judge(
        np.zeros(2, np.int64), np.array([[min(values) - 1], [max(values) + 1e7]]), np.zeros(2, np.int64)
    )
    assert nearest.expected[0, 0] == min(values)
    assert nearest.expected[1, 0] == max(values)
    probes = np.linspace(-1e6, 1e6, 50)
    state = detector.save(np.array([0]))
    for probe in probes:
        fresh = NoveltyDetector("d", 1, False, memory=size)
        fresh.load(np.array([0]), state)
        found = fresh.judge(np.zeros(1, np.int64), np.array([[probe]]), np.zeros(1, np.int64)).expected[0, 0]
        assert found in {*values, min(values) - 1, max(values) + 1e7}


def test_a_full_memory_covers_the_range_evenly() -> None:
    source = np.random.default_rng(2)
    detector = NoveltyDetector("d", 1, False, memory=64)
    # Nearly all values lie in a hundredth of the range.
    raw_of(detector, np.where(np.arange(5000) % 10, source.random(5000), source.random(5000) * 100).tolist())
    probes = np.linspace(0, 100, 500)
    state = detector.save(np.array([0]))
    far = []
    for probe in probes:
        fresh = NoveltyDetector("d", 1, False, memory=64)
        fresh.load(np.array([0]), state)
        one = fresh.judge(np.zeros(1, np.int64), np.array([[probe]]), np.zeros(1, np.int64))
        far.append(abs(one.expected[0, 0] - probe))
    assert max(far) < 4


def test_accounts_do_not_learn_from_each_other() -> None:
    together, alone = NoveltyDetector("d", 1, False), NoveltyDetector("d", 1, False)
    source = np.random.default_rng(3)
    values = source.normal(0, 1, 600)
    slots = np.arange(600) % 2
    mixed = together.judge(slots, values[:, None], np.zeros_like(slots)).raw
    assert mixed[slots == 0].tolist() == raw_of(alone, values[slots == 0].tolist())


def test_empty_windows_make_zero_known() -> None:
    values, empty = np.full((300, 1), 5.0) + np.arange(300)[:, None] % 7, np.zeros(300, np.int64)
    empty[50] = 10
    slots = np.zeros(300, np.int64)
    last = np.array([[0.0]])
    knows, does_not = NoveltyDetector("d", 1, True), NoveltyDetector("d", 1, False)
    for detector in (knows, does_not):
        detector.judge(slots, values, empty)
    one = np.zeros(1, np.int64)
    assert knows.judge(one, last, one).raw[0] == 0
    assert does_not.judge(one, last, one).raw[0] > 1


@pytest.mark.parametrize(
    "wrong",
    [{"memory": 1}, {"memory": 2.5}, {"half_life": 0}, {"refractory": -1}, {"habituation": -0.1}, {"learning": -1}],
)
def test_wrong_parameters_are_told(wrong: dict[str, float]) -> None:
    settings_ = DetectorSettings(
        name="d", model="stillwatch.Novelty", window_s=3600, features=("log_calls",), parameters=wrong
    )
    with pytest.raises(DetectorError, match=next(iter(wrong))):
        build_detectors([settings_])
