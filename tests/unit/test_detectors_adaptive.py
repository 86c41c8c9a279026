"""Scores of an account keep their shares, whatever the account does."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detectors.adaptive import AdaptiveLevels


@pytest.mark.parametrize("power", [0.3, 1.0, 2.0])
def test_an_account_that_is_always_odder_or_calmer_than_others_gets_its_shares(power: float) -> None:
    # Scores whose tail is `power` times as heavy in nats as it should be.
    scores = 1.0 - np.random.default_rng(1).random(60_000) ** power
    adapted = AdaptiveLevels().adapt(np.zeros(scores.size, np.int64), scores)
    late = adapted[20_000:]
    assert np.mean(late > 0.99) == pytest.approx(0.01, rel=0.2)
    assert np.mean(late > 0.999) == pytest.approx(0.001, rel=0.5)


def test_a_calibrated_account_is_left_alone_and_others_with_it() -> None:
    levels = AdaptiveLevels()
    scores = np.random.default_rng(2).random(50)
    assert np.allclose(levels.adapt(np.full(50, 3), scores), scores, atol=0.02)
    # Another account's first scores are as they came.
    assert levels.adapt(np.array([7]), np.array([0.95]))[0] == pytest.approx(0.95, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=80),
    st.lists(st.integers(0, 80), max_size=4),
)
def test_any_split_and_any_restart_gives_the_same(rows: list[tuple[int, float]], cuts: list[int]) -> None:
    slots = np.array([slot for slot, _ in rows])
    scores = np.array([score for _, score in rows])
    whole = AdaptiveLevels().adapt(slots, scores)
    assert ((whole >= 0) & (whole < 1)).all()
    levels, parts = AdaptiveLevels(), []
    edges = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    for begin, end in itertools.pairwise(edges):
        parts.append(levels.adapt(slots[begin:end], scores[begin:end]))
        saved, levels = levels.save(np.arange(4)), AdaptiveLevels()
        levels.load(np.arange(4), saved)
    assert np.concatenate(parts).tolist() == whole.tolist()


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 400))
def test_the_order_of_scores_stays(first: float, second: float, before: int) -> None:
    def adapted(score: float) -> float:
        levels = AdaptiveLevels()
        levels.adapt(np.zeros(before, np.int64), np.random.default_rng(3).random(before) ** 0.2)
        return float(levels.adapt(np.array([0]), np.array([score]))[0])

    if first <= second:
        assert adapted(first) <= adapted(second)
