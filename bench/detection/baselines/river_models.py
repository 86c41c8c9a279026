"""River's half-space trees and LODA, in the pipelines that River's documentation shows."""

from __future__ import annotations

from collections.abc import Callable

from bench.detection.baselines.per_account import scored_per_account
from bench.detection.windows import FEATURES, Float64, Windows

_SEED = 42
#: Rows in a window of half-space trees, whose default of 250 an account with few hours would never fill.
_WINDOW_ROWS = 24


def half_space_trees(windows: Windows) -> Float64:
    """`MinMaxScaler | HalfSpaceTrees(seed=42)` of each account, its window a day of hours with calls."""
    from river import anomaly, preprocessing

    return scored_per_account(
        windows,
        lambda: _river(preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(window_size=_WINDOW_ROWS, seed=_SEED)),
    )


def loda(windows: Windows) -> Float64:
    """`StandardScaler | LODA(seed=42)` of each account."""
    from river import anomaly, preprocessing

    return scored_per_account(windows, lambda: _river(preprocessing.StandardScaler() | anomaly.LODA(seed=_SEED)))


def _river(model) -> Callable[[Float64], float]:  # type: ignore[no-untyped-def]
    def score_and_learn(row: Float64) -> float:
        features = dict(zip(FEATURES, row.tolist(), strict=True))
        score = float(model.score_one(features))
        model.learn_one(features)
        return score

    return score_and_learn
