"""Robust random cut forests (Guha et al. 2016) by the library `rrcf`, as its documentation streams them."""

from __future__ import annotations

from collections.abc import Callable

from bench.detection.baselines.per_account import scored_per_account
from bench.detection.windows import Float64, Windows

_TREES, _TREE_SIZE = 40, 256


def random_cut_forest(windows: Windows) -> Float64:
    """Mean collusive displacement over 40 trees of at most 256 rows, a forest for each account.

    A row has to be in the trees to have a displacement; it knows of no later row.
    """
    import rrcf

    return scored_per_account(windows, lambda: _forest(rrcf.RCTree))


def _forest(tree_of) -> Callable[[Float64], float]:  # type: ignore[no-untyped-def]
    trees = [tree_of(random_state=number) for number in range(_TREES)]
    rows = 0

    def score_and_learn(row: Float64) -> float:
        nonlocal rows
        displacement = 0.0
        for tree in trees:
            if rows >= _TREE_SIZE:
                tree.forget_point(rows - _TREE_SIZE)
            tree.insert_point(row, index=rows)
            displacement += tree.codisp(rows)
        rows += 1
        return float(displacement) / _TREES

    return score_and_learn
