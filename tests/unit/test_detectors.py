"""Checks that every detector must pass, and those of single parts."""

import itertools
import random
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detectors.base import Detector
from pipeline.detectors.build import EXTRACTION, DetectorError, build_detectors
from pipeline.detectors.conformal import ConformalCalibrator
from pipeline.detectors.location_scale import Moments, PeerLocationScale
from pipeline.detectors.peer import PeerDetector
from pipeline.detectors.usual import compare_with_usual
from pipeline.features.behaviour import BEHAVIOURS
from pipeline.settings import DetectorSettings, EngineSettings

FEATURES = ("log_calls", "log_output_tokens")
RIVER = (
    "GaussianScorer",
    "HalfSpaceTrees",
    "LODA",
    "LocalOutlierFactor",
    "OneClassSVM",
    "PredictiveAnomalyDetection",
    "StandardAbsoluteDeviation",
)


def window_detector(model: str, **changes: object) -> DetectorSettings:
    return DetectorSettings(name="d", model=model, window_s=3600, features=FEATURES, **changes)  # type: ignore[arg-type]


EVERY = [
    *EngineSettings().detectors,
    window_detector("stillwatch.PeerLocationScale"),
    window_detector("stillwatch.Novelty"),
    window_detector("stillwatch.Novelty", parameters={"memory": 5, "learning": 3}),
    *(window_detector(f"river.anomaly.{name}") for name in RIVER),
    *(window_detector(f"river.anomaly.{name}", scope="partition") for name in RIVER),
    window_detector("river.anomaly.OneClassSVM", scaler="river.preprocessing.StandardScaler"),
]


@pytest.fixture(params=EVERY, ids=lambda one: f"{one.name}-{one.model}-{one.scope}{one.scaler and '-scaled'}")
def create(request: pytest.FixtureRequest) -> Callable[[], tuple[Detector, int]]:
    width = BEHAVIOURS if request.param.model == EXTRACTION else len(request.param.features)
    return lambda: (build_detectors([request.param])[0], width)


def drive(detector: Detector, width: int, cuts: tuple[int, ...] = ()) -> list[list[float]]:
    """Judge 120 rows of three accounts, in batches that end at `cuts`: raw score, expected values and weights per row."""
    source = np.random.default_rng(3)
    slots = np.arange(120) % 3
    values = source.normal(5 + slots[:, None], 1, (120, width))
    empty = np.arange(120) % 5
    rows = []
    for begin, end in itertools.pairwise((0, *cuts, 120)):
        one = detector.judge(slots[begin:end], values[begin:end], empty[begin:end])
        rows += np.column_stack([one.raw, one.expected, one.weight]).tolist()
    return rows


def test_same_input_same_judgement(create: Callable[[], tuple[Detector, int]]) -> None:
    assert drive(*create()) == drive(*create())


def test_any_split_into_batches_gives_the_same_judgement(create: Callable[[], tuple[Detector, int]]) -> None:
    assert drive(*create()) == drive(*create(), cuts=(1, 2, 50, 50, 119))


def test_judgements_stay_finite_on_hostile_numbers(create: Callable[[], tuple[Detector, int]]) -> None:
    detector, width = create()
    hostile = [0.0, 1e-300, 25.0, 1e9, -0.0, 1e12]
    column = np.array([*hostile, *hostile[::-1], *hostile])
    values = np.repeat(column[:, None], width, axis=1)
    one = detector.judge(np.zeros(column.size, np.int64), values, np.arange(column.size) * 1000)
    for array in (one.raw, one.expected, one.weight):
        assert np.isfinite(array).all()
    assert (one.raw >= 0).all()
    assert (one.weight >= 0).all()
    assert np.isfinite(drive(detector, width)).all()


def test_no_rows_change_nothing(create: Callable[[], tuple[Detector, int]]) -> None:
    detector, width = create()
    none = np.empty(0, np.int64)
    assert detector.judge(none, np.empty((0, width)), none).raw.size == 0
    assert drive(detector, width) == drive(*create())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 20), st.floats(0, 20), st.integers(0, 200)), max_size=60),
    st.booleans(),
)
def test_the_compiled_model_gives_the_numbers_of_the_model(
    rows: list[tuple[int, float, float, int]], both_sides: bool
) -> None:
    compiled = PeerDetector("d", 2, True, half_life=50.0, prior=5.0, both_sides=both_sides)
    slots = np.array([row[0] for row in rows], np.int64)
    values = np.array([row[1:3] for row in rows]).reshape(len(rows), 2)
    judged = compiled.judge(slots, values, np.array([row[3] for row in rows], np.int64))
    peers: dict[Hashable, Moments] = {}
    models = [PeerLocationScale(50.0, 5.0, both_sides, peers) for _ in range(4)]
    for index, (slot, first, second, empty) in enumerate(rows):
        x: dict[Hashable, float] = {"first": first, "second": second}
        if empty:
            models[slot].learn_zeros(("first", "second"), empty)
        assert judged.raw[index] == pytest.approx(models[slot].score_one(x), rel=1e-9, abs=1e-9)
        assert judged.expected[index, 1] == pytest.approx(models[slot].expectation("second")[0], rel=1e-9, abs=1e-12)
        models[slot].learn_one(x)


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (window_detector("river.anomaly.Nothing"), "River has no"),
        (window_detector("river.linear_model.LinearRegression"), "no anomaly detector"),
        (window_detector("os.path.join"), "no model"),
        (window_detector("river.anomaly.HalfSpaceTrees", parameters={"trees": 3}), "trees"),
        (DetectorSettings(name="d", window_s=60, features=("calls",)), "no such feature of a window"),
        (DetectorSettings(name="d", on="event", features=("log_calls",)), "no such feature of a event"),
        (window_detector("river.anomaly.GaussianScorer", scaler="river.preprocessing.StandardScaler"), "no scaler"),
    ],
)
def test_wrong_detectors_are_told(wrong: DetectorSettings, part: str) -> None:
    with pytest.raises(DetectorError, match=part):
        build_detectors([wrong])


def test_every_wrong_detector_is_told_at_once() -> None:
    with pytest.raises(DetectorError) as caught:
        build_detectors([window_detector("river.anomaly.A"), window_detector("river.anomaly.B")])
    assert len(caught.value.mistakes) == 2


@given(st.lists(st.floats(-100, 100), max_size=20), st.floats(-100, 100), st.integers(1, 300), st.floats(1, 500))
def test_moments_of_repeated_values_are_those_of_one_by_one(
    before: list[float], value: float, times: int, half_life: float
) -> None:
    at_once, one_by_one = Moments(half_life), Moments(half_life)
    for earlier in before:
        at_once.update(earlier)
        one_by_one.update(earlier)
    at_once.update(value, times)
    for _ in range(times):
        one_by_one.update(value)
    assert at_once.weight == pytest.approx(one_by_one.weight)
    assert at_once.mean == pytest.approx(one_by_one.mean, abs=1e-6)
    assert at_once.variance == pytest.approx(one_by_one.variance, abs=1e-5)


def test_a_young_account_is_judged_by_its_peers_and_an_old_one_by_itself() -> None:
    peers: dict[Hashable, Moments] = {}
    source = random.Random(1)
    for _ in range(30):
        ordinary = PeerLocationScale(peers=peers)
        for _ in range(50):
            ordinary.learn_one({"volume": source.gauss(5, 0.5)})
    heavy = PeerLocationScale(peers=peers)
    at_first = heavy.score_one({"volume": 9.0})
    for _ in range(500):
        heavy.learn_one({"volume": source.gauss(9, 0.5)})
    assert at_first > 15
    assert heavy.score_one({"volume": 9.0}) < 1
    assert heavy.score_one({"volume": 12.0}) > 15


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(1, 20))
def test_conformal_scores_are_the_ranks_among_the_latest(raws: list[int], size: int) -> None:
    calibrator = ConformalCalibrator(size)
    half = len(raws) // 2
    scores = np.concatenate([calibrator.calibrate(np.array(part, float)) for part in (raws[:half], raws[half:])])
    for index, raw in enumerate(raws):
        recent = raws[max(0, index - size) : index]
        at_least = sum(earlier >= raw for earlier in recent)
        assert scores[index] == pytest.approx(1 - (at_least + 1) / (len(recent) + 1))


def patterns(count: int) -> Iterator[np.ndarray]:
    """Scores that come in awkward orders: rising, falling, in waves, mostly ties, with bursts beyond all before."""
    random = np.random.default_rng(1)
    yield np.sort(random.random(count))
    yield np.sort(random.random(count))[::-1].copy()
    yield np.sin(np.arange(count) / 50)
    yield random.integers(0, 3, count).astype(float)
    yield np.where(np.arange(count) % 1000 < 900, 0.0, 1e6 * random.random(count))
    yield np.arange(count) % 700.0


@pytest.mark.parametrize("size", [1, 64, 129, 1000])
def test_conformal_ranks_are_exact_for_windows_of_many_blocks(size: int) -> None:
    for raws in patterns(4000):
        calibrator = ConformalCalibrator(size)
        scores = np.concatenate([calibrator.calibrate(part) for part in np.array_split(raws, 5)])
        ordered: list[float] = []
        for index, raw in enumerate(raws.tolist()):
            at_least = len(ordered) - bisect_left(ordered, raw)
            assert scores[index] == 1.0 - (at_least + 1) / (len(ordered) + 1)
            if len(ordered) == size:
                del ordered[bisect_left(ordered, raws[index - size])]
            insort(ordered, raw)


def test_conformal_scores_of_ordinary_traffic_are_uniform() -> None:
    calibrator = ConformalCalibrator(5000)
    draws = np.random.default_rng(5).standard_exponential(40_000)
    scores = calibrator.calibrate(draws)
    for level in (0.5, 0.9, 0.99, 0.999):
        assert np.mean(scores > level) == pytest.approx(1 - level, rel=0.35)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), max_size=40))
def test_rows_are_compared_with_the_moments_of_those_before(rows: list[tuple[float, float]]) -> None:
    values = np.array(rows).reshape(len(rows), 2)
    expected, weight = np.empty(values.shape), np.empty(values.shape)
    moments = [Moments(10.0), Moments(10.0)]
    compare_with_usual(values, np.zeros(1), np.zeros(2), np.zeros(2), moments[0].decay, expected, weight)
    for index, row in enumerate(rows):
        for feature, (value, usual) in enumerate(zip(row, moments, strict=True)):
            distance = (value - usual.mean) / max(usual.variance**0.5, 1e-3)
            assert expected[index, feature] == pytest.approx(usual.mean, abs=1e-9)
            assert weight[index, feature] == pytest.approx(distance * distance, rel=1e-6, abs=1e-9)
            usual.update(value)
