"""River's `HalfSpaceTrees` for all accounts of a partition at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np

from pipeline.detectors.base import Float64, Int64
from pipeline.detectors.compiled import CompiledDetector

#: The state of an account: rows since the masses were last exchanged, whether they ever were, then the masses of this window
#: and the last of each node, tree after tree.
_COUNTER, _READY, _MASSES = 0, 1, 2


class HalfSpaceTreesDetector(CompiledDetector):
    """The numbers of `river.anomaly.HalfSpaceTrees` (Tan, Ting and Liu, IJCAI 2011).

    Models of one seed have the same trees, so these are kept once; an account has the masses of their nodes, in integers as
    small as the window allows.
    """

    def __init__(
        self,
        name: str,
        features: tuple[str, ...],
        fill_zeros: bool,
        shared: bool,
        *,
        n_trees: int = 10,
        height: int = 8,
        window_size: int = 250,
        limits: Mapping[str, tuple[float, float]] | None = None,
        seed: int = 1,
    ) -> None:
        """The parameters are River's."""
        nodes = 2 ** (height + 1) - 1
        super().__init__(
            name,
            len(features),
            fill_zeros,
            shared,
            state_width=_MASSES + 2 * n_trees * nodes,
            state_dtype=np.min_scalar_type(window_size),
        )
        # River takes a second to load, so only where it is asked for.
        from river.anomaly import HalfSpaceTrees

        # Any: to River, names are any hashable, and its methods have no types.
        bounds: Any = dict(limits or {})
        model: Any = HalfSpaceTrees(n_trees, height, window_size, bounds, seed)
        # River builds its trees at the first row, whatever that holds.
        model.learn_one(dict.fromkeys(features, 0.0))
        self._feature = np.zeros((n_trees, nodes), np.int64)
        self._threshold = np.zeros((n_trees, nodes))
        for tree, root in enumerate(model.trees):
            self._take_over(root, features, tree, 0)
        self._window_size = window_size
        self._height = height

    def _take_over(self, node: Any, features: tuple[str, ...], tree: int, at: int) -> None:
        # The children of node i are 2i + 1 and 2i + 2.
        if not hasattr(node, "children"):
            return
        self._feature[tree, at] = features.index(node.feature)
        self._threshold[tree, at] = node.threshold
        for side, child in enumerate(node.children):
            self._take_over(child, features, tree, 2 * at + 1 + side)

    def _score_and_learn(self, rows: Int64, values: Float64, zeros: Int64, raw: Float64) -> None:
        _half_space_trees(
            rows, values, zeros, self._state, self._feature, self._threshold, self._window_size, self._height, raw
        )


@numba.njit(cache=True)
def _walk(state, row, feature, threshold, window_size, height):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Score and learn in one go, since both take the same way down each tree. Returns River's sum of masses.
    trees, nodes = feature.shape
    limit = 0.1 * window_size
    total = np.int64(0)
    for tree in range(trees):
        node = 0
        depth_weight = 1
        counts = True
        for level in range(height + 1):
            place = _MASSES + 2 * (tree * nodes + node)
            if counts:
                total += np.int64(state[place + 1]) * depth_weight
                counts = state[place + 1] >= limit
            state[place] += 1
            if level < height:
                node = 2 * node + (1 if row[feature[tree, node]] < threshold[tree, node] else 2)
                depth_weight *= 2
    state[_COUNTER] += 1
    return total


@numba.njit(cache=True)
def _half_space_trees(rows, values, zeros, states, feature, threshold, window_size, height, raw):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    trees, nodes = feature.shape
    largest = trees * window_size * nodes
    nothing = np.zeros(values.shape[1])
    for i in range(rows.size):
        state = states[rows[i]]
        for step in range(zeros[i] + 1):
            row = nothing if step < zeros[i] else values[i]
            known = state[_READY] == 1
            total = _walk(state, row, feature, threshold, window_size, height)
            if known and step == zeros[i]:
                raw[i] = max(1.0 - total / largest, 0.0)
            if state[_COUNTER] == window_size:
                for place in range(_MASSES, states.shape[1], 2):
                    state[place + 1] = state[place]
                    state[place] = 0
                state[_COUNTER] = 0
                state[_READY] = 1
