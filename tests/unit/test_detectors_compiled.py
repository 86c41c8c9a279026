"""Compiled models against River's own, number for number."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import anomaly

from pipeline.detectors.base import Detector
from pipeline.detectors.build import build_detectors
from pipeline.detectors.compiled import CompiledDetector
from pipeline.detectors.river_models import RiverDetector
from pipeline.settings import DetectorSettings
from pipeline.state import StateError

FEATURES = ("log_output_tokens", "log_calls")
#: Values that repeat, lie at the edges of the limits or beyond, and anything between.
VALUE = st.one_of(st.sampled_from([0.0, 5.0, 12.5, 25.0, 30.0, 1e9]), st.floats(0, 25))
ROWS = st.lists(st.tuples(st.integers(0, 3), VALUE, VALUE, st.sampled_from([0, 0, 0, 1, 3, 200])), max_size=60)
GAUSSIAN = st.fixed_dictionaries({}, optional={"grace_period": st.integers(0, 20), "window_size": st.just(0)})
TREES = st.fixed_dictionaries(
    {"window_size": st.sampled_from([1, 2, 7, 25, 300])},
    optional={
        "n_trees": st.integers(1, 4),
        "height": st.integers(1, 4),
        "seed": st.integers(0, 99),
        "limits": st.just({"log_calls": (0.0, 10.0)}),
    },
)


def built(
    model: str, parameters: dict[str, Any], scope: str, fill_zeros: bool, width: int
) -> tuple[Detector, Detector]:
    """The detector that settings give, and River's own models in the same settings."""
    named = DetectorSettings(
        name="d",
        model=f"river.anomaly.{model}",
        window_s=3600,
        features=FEATURES[:width],
        parameters=parameters,
        scope=scope,
        fill_zeros=fill_zeros,
    )
    (compiled,) = build_detectors([named])
    assert isinstance(compiled, CompiledDetector)
    if model == "HalfSpaceTrees":
        parameters = {"seed": 1, "limits": dict.fromkeys(FEATURES[:width], (0.0, 25.0)), **parameters}
    kind: Any = getattr(anomaly, model)
    own = RiverDetector(
        "d",
        FEATURES[:width],
        fill_zeros,
        lambda: kind(**parameters),
        supervised=model == "GaussianScorer",
        shared=scope == "partition",
    )
    return compiled, own


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(st.tuples(st.just("GaussianScorer"), GAUSSIAN), st.tuples(st.just("HalfSpaceTrees"), TREES)),
    st.sampled_from(["account", "partition"]),
    st.booleans(),
    st.integers(1, 2),
    ROWS,
    st.integers(0, 60),
)
def test_the_numbers_are_those_of_river(
    model: tuple[str, dict[str, Any]],
    scope: str,
    fill_zeros: bool,
    width: int,
    rows: list[tuple[int, float, float, int]],
    cut: int,
) -> None:
    compiled, own = built(*model, scope, fill_zeros, width)
    slots = np.array([row[0] for row in rows], np.int64)
    values = np.array([row[1 : 1 + width] for row in rows], float).reshape(len(rows), width)
    empty = np.array([row[3] for row in rows], np.int64)
    for part in (slice(0, cut), slice(cut, None)):
        found = compiled.judge(slots[part], values[part], empty[part])
        expected = own.judge(slots[part], values[part], empty[part])
        # The two take the same steps in the same order; only the error function may come from another library.
        np.testing.assert_allclose(found.raw, expected.raw, rtol=1e-12, atol=1e-12)
        assert np.array_equal(found.expected, expected.expected)
        assert np.array_equal(found.weight, expected.weight)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("GaussianScorer", {"parameters": {"window_size": 50}}),
        ("HalfSpaceTrees", {"scaler": "river.preprocessing.MinMaxScaler"}),
        ("HalfSpaceTrees", {"parameters": {"height": 0}}),
    ],
)
def test_what_has_no_compiled_form_runs_as_river_has_it(model: str, changes: dict[str, Any]) -> None:
    named = DetectorSettings(name="d", model=f"river.anomaly.{model}", window_s=3600, features=FEATURES)
    (detector,) = build_detectors([msgspec.structs.replace(named, **changes)])
    assert isinstance(detector, RiverDetector)


@pytest.mark.parametrize("scope", ["account", "partition"])
def test_states_of_another_kind_are_refused(scope: str) -> None:
    small, _ = built("HalfSpaceTrees", {"n_trees": 1, "height": 2}, scope, True, 1)
    large, _ = built("HalfSpaceTrees", {"n_trees": 2, "height": 2}, scope, True, 1)
    slots = np.arange(3)
    with pytest.raises(StateError, match="detector d is of another kind"):
        large.load(slots, small.save(slots))
