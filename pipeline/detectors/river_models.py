"""Any anomaly detector of River, one per account or one for all accounts of a partition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.detectors.base import Float64, Int64, Judgement
from pipeline.detectors.location_scale import Moments

#: Empty windows that are learnt at most, one by one.
_MOST_ZEROS = 168
#: Rows after which a row of the partition's usual values counts half.
_USUAL_HALF_LIFE = 50_000.0
_SMALLEST_SCALE = 1e-3


class RiverDetector:
    """A model of River per account, created at the account's first row. See `pipeline.detectors.base.Detector`.

    A supervised one takes the last feature as its target. River's detectors do not say which feature moved their score, so the
    features' weights are their squared distance from the partition's mean in deviations.
    """

    def __init__(
        self,
        name: str,
        features: tuple[str, ...],
        fill_zeros: bool,
        create: Callable[[], Any],
        *,
        supervised: bool,
        shared: bool,
    ) -> None:
        self.name = name
        self._features = features
        self._fill_zeros = fill_zeros
        self._create = create
        self._supervised = supervised
        self._shared = shared
        self._models: dict[int, Any] = {}
        self._usual = [Moments(_USUAL_HALF_LIFE) for _ in features]
        self._zeros = [0.0] * len(features)

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score and learn; see `Detector`."""
        raw = np.empty(slots.size)
        expected = np.empty(values.shape)
        weight = np.empty(values.shape)
        rows = zip(slots.tolist(), values.tolist(), empty_before.tolist(), strict=True)
        for index, (slot, row, empty) in enumerate(rows):
            model = self._model(slot)
            if empty and self._fill_zeros:
                for _ in range(min(empty, _MOST_ZEROS)):
                    self._learn(model, self._zeros)
            raw[index] = self._score(model, row)
            self._learn(model, row)
            for feature, (value, usual) in enumerate(zip(row, self._usual, strict=True)):
                distance = (value - usual.mean) / max(math.sqrt(usual.variance), _SMALLEST_SCALE)
                expected[index, feature] = usual.mean
                weight[index, feature] = distance * distance
                usual.update(value)
        return Judgement(raw, expected, weight)

    def _score(self, model: Any, row: list[float]) -> float:
        x = dict(zip(self._features, row, strict=True))
        try:
            score = model.score_one(x, x.pop(self._features[-1])) if self._supervised else model.score_one(x)
        except ArithmeticError:
            # Some divide by a spread that is still zero.
            return 0.0
        # Some give None, infinity or NaN before they have learnt enough: nothing strange is known then.
        return max(float(score), 0.0) if score is not None and math.isfinite(score) else 0.0

    def _learn(self, model: Any, row: list[float]) -> None:
        x = dict(zip(self._features, row, strict=True))
        if self._supervised:
            model.learn_one(x, x.pop(self._features[-1]))
        else:
            model.learn_one(x)

    def _model(self, slot: int) -> Any:
        key = 0 if self._shared else slot
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = self._create()
        return model
