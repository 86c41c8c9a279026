"""The benchmark's scoring does what its description says, on series small enough to check by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.detection.nab.scoring import (
    NO_DETECTION,
    Costs,
    best_threshold,
    normalise,
    prepare,
    probationary_rows,
    scaled_sigmoid,
    score_at,
)

STANDARD = Costs(1.0, 0.11, 1.0)


def sigmoid(position: float) -> float:
    return 2 / (1 + math.exp(5 * position)) - 1


def anomaly(rows: int, **at: float) -> np.ndarray:
    scores = np.zeros(rows)
    for row, score in at.items():
        scores[int(row[1:])] = score
    return scores


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (7, 1), (1127, 169), (4999, 749), (5000, 750), (22_695, 750)])
def test_the_first_rows_are_for_learning(rows: int, expected: int) -> None:
    assert probationary_rows(rows) == expected


def test_a_detection_is_worth_most_at_the_left_edge_and_costs_most_far_behind() -> None:
    worth = scaled_sigmoid(np.array([-1.0, -0.5, 0.0, 1.0, 3.0, 3.01]))
    assert worth == pytest.approx([0.98661, 0.84828, 0.0, -0.98661, -1.0, -1.0], abs=1e-5)


def test_only_the_best_detection_in_a_window_counts() -> None:
    one = prepare(anomaly(100, r50=0.9, r55=1.0, r59=1.0), [(50, 59)], STANDARD)
    at_first = score_at(one, STANDARD, 0.9)
    assert at_first.score == pytest.approx(1.0)
    assert (at_first.true_positives, at_first.false_negatives) == (3, 7)
    later = sigmoid(-5 / 10) / sigmoid(-1)
    assert score_at(one, STANDARD, 0.95).score == pytest.approx(later)
    assert score_at(one, STANDARD, NO_DETECTION).score == -1.0


def test_detections_outside_cost_by_their_distance_behind_the_last_window() -> None:
    one = prepare(anomaly(100, r5=1.0, r20=1.0, r62=1.0, r99=1.0), [(50, 59)], STANDARD)
    scored = score_at(one, STANDARD, 1.0)
    # Row 5 is in the probationary period, row 20 before all windows, row 62 three rows behind, row 99 far behind.
    assert scored.score == pytest.approx(-1.0 + 0.11 * (-1.0 + sigmoid(3 / 9) - 1.0))
    assert (scored.false_positives, scored.true_negatives) == (3, 72)


def test_normalised_scores_are_0_for_nothing_found_and_100_for_perfect() -> None:
    low_misses = Costs(1.0, 0.11, 2.0)
    assert normalise(-2.0 * 5, 5, low_misses) == 0
    assert normalise(5.0, 5, low_misses) == 100


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=30, max_size=60), min_size=1, max_size=3), st.sampled_from([1.0, 2.0])
)
def test_the_best_threshold_is_the_best_of_all_there_are(series: list[list[int]], missed: float) -> None:
    costs = Costs(1.0, 0.11, missed)
    corpus = [prepare(np.array(one) / 10, [(10, 14), (20, 25)], costs) for one in series]
    threshold, best = best_threshold(corpus, costs)
    every = {
        one: sum(score_at(scored, costs, one).score for scored in corpus) for one in (*np.arange(10) / 10, NO_DETECTION)
    }
    assert every[threshold] == pytest.approx(best)
    assert best == pytest.approx(max(every.values()))
