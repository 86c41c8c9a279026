"""Checks that every detector must pass, and those of single parts."""

import itertools
import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detectors.base import Detector
from pipeline.detectors.build import DetectorError, build_detectors
from pipeline.detectors.conformal import ConformalCalibrator
from pipeline.detectors.location_scale import Moments, PeerLocationScale
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
    *(window_detector(f"river.anomaly.{name}") for name in RIVER),
    *(window_detector(f"river.anomaly.{name}", scope="partition") for name in RIVER),
    window_detector("river.anomaly.OneClassSVM", scaler="river.preprocessing.StandardScaler"),
]


@pytest.fixture(params=EVERY, ids=lambda one: f"{one.name}-{one.model}-{one.scope}{one.scaler and '-scaled'}")
def create(request: pytest.FixtureRequest) -> Callable[[], tuple[Detector, int]]:
    return lambda: (build_detectors([request.param])[0], len(request.param.features))


def drive(detector: Detector, width: int, rounds: int = 120) -> list[float]:
    source = random.Random(3)
    raws = []
    for step in range(rounds):
        slot = step % 3
        values = tuple(source.gauss(5 + slot, 1) for _ in range(width))
        raws.append(detector.score(slot, values))
        detector.explain(slot, values)
        detector.learn(slot, values, empty_before=step % 5)
    return raws


def test_same_input_same_scores(create: Callable[[], tuple[Detector, int]]) -> None:
    assert drive(*create()) == drive(*create())


def test_scores_stay_finite_on_hostile_numbers(create: Callable[[], tuple[Detector, int]]) -> None:
    detector, width = create()
    hostile = [0.0, 1e-300, 25.0, 1e9, -0.0, 1e12]
    for step, value in enumerate(itertools.chain(hostile, reversed(hostile), hostile)):
        values = (value,) * width
        raw = detector.score(0, values)
        assert math.isfinite(raw)
        assert raw >= 0
        for contribution in detector.explain(0, values):
            assert math.isfinite(contribution.weight)
            assert contribution.weight >= 0
        detector.learn(0, values, empty_before=step * 1000)
    assert all(math.isfinite(raw) for raw in drive(detector, width))


@pytest.mark.parametrize(
    ("settings", "part"),
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
def test_wrong_detectors_are_told(settings: DetectorSettings, part: str) -> None:
    with pytest.raises(DetectorError, match=part):
        build_detectors([settings])


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
    peers: dict[object, Moments] = {}
    source = random.Random(1)
    for _ in range(30):
        ordinary = PeerLocationScale(peers=peers)  # type: ignore[arg-type]
        for _ in range(50):
            ordinary.learn_one({"volume": source.gauss(5, 0.5)})
    heavy = PeerLocationScale(peers=peers)  # type: ignore[arg-type]
    at_first = heavy.score_one({"volume": 9.0})
    for _ in range(500):
        heavy.learn_one({"volume": source.gauss(9, 0.5)})
    assert at_first > 15
    assert heavy.score_one({"volume": 9.0}) < 1
    assert heavy.score_one({"volume": 12.0}) > 15


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(2, 20))
def test_conformal_scores_are_the_ranks_among_the_latest(raws: list[int], size: int) -> None:
    calibrator = ConformalCalibrator(size)
    for index, raw in enumerate(raws):
        recent = raws[max(0, index - size) : index]
        at_least = sum(earlier >= raw for earlier in recent)
        assert calibrator.calibrate(raw) == pytest.approx(1 - (at_least + 1) / (len(recent) + 1))


def test_conformal_scores_of_ordinary_traffic_are_uniform() -> None:
    calibrator = ConformalCalibrator(5000)
    draws = np.random.default_rng(5).standard_exponential(40_000)
    scores = np.array([calibrator.calibrate(raw) for raw in draws])
    for level in (0.5, 0.9, 0.99, 0.999):
        assert np.mean(scores > level) == pytest.approx(1 - level, rel=0.35)
