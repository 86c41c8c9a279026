"""Any anomaly detector of River, one per account or one for all accounts of a partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.detectors.base import Float64, Int64, Judgement
from pipeline.detectors.compiled import MOST_ZEROS
from pipeline.detectors.river_state import dump_model, load_model
from pipeline.detectors.usual import Usual
from pipeline.state import Saved
from pipeline.state.saved import Array

#: `score_one` and `learn_one` of a model, looked up once.
_Model = tuple[Callable[..., Any], Callable[..., Any]]


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
        self._models: dict[int, _Model] = {}
        self._usual = Usual(len(features))
        self._zeros = [0.0] * len(features)

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score and learn; see `Detector`."""
        act = self._score_and_learn_supervised if self._supervised else self._score_and_learn
        models = self._models
        fill_zeros = self._fill_zeros
        raw = []
        for slot, row, empty in zip(self._keys(slots), values.tolist(), empty_before.tolist(), strict=True):
            model = models.get(slot)
            if model is None:
                model = models[slot] = _methods(self._create())
            if empty and fill_zeros:
                for _ in range(min(empty, MOST_ZEROS)):
                    act(model, self._zeros)
            raw.append(act(model, row))
        return Judgement(_finite(raw), *self._usual.compare(values))

    def save(self, slots: Int64) -> Saved:
        """The models of `slots`, those not created yet left empty; see `Detector`."""
        rows = np.empty(slots.size, object)
        for index, slot in enumerate(slots.tolist()):
            model = self._models.get(slot)
            rows[index] = b"" if model is None else dump_model(model[0].__self__)  # type: ignore[attr-defined]
        shared = self._usual.save()
        if self._shared and self._models:
            shared["model"] = np.frombuffer(dump_model(self._models[0][0].__self__), np.uint8)  # type: ignore[attr-defined]
        return Saved(None if self._shared else rows, shared)

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put models back; see `Detector`."""
        self._usual.load(dict(saved.shared))
        if "model" in saved.shared:
            self._models[0] = _methods(load_model(saved.shared["model"].tobytes()))
        if saved.rows is not None:
            self.restore(slots, saved.rows)

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put the models of some accounts back; see `Detector`."""
        for slot, row in zip(slots.tolist(), rows.tolist(), strict=True):
            if row:
                self._models[slot] = _methods(load_model(row))
            else:
                self._models.pop(slot, None)

    def _keys(self, slots: Int64) -> list[int]:
        keys: list[int] = [0] * slots.size if self._shared else slots.tolist()
        return keys

    def _score_and_learn(self, model: _Model, row: list[float]) -> Any:
        score_one, learn_one = model
        x = dict(zip(self._features, row, strict=True))
        try:
            score = score_one(x)
        except ArithmeticError:
            # Some divide by a spread that is still zero.
            score = 0.0
        learn_one(x)
        return score

    def _score_and_learn_supervised(self, model: _Model, row: list[float]) -> Any:
        score_one, learn_one = model
        x = dict(zip(self._features, row, strict=False))
        y = x.pop(self._features[-1])
        try:
            score = score_one(x, y)
        except ArithmeticError:
            score = 0.0
        learn_one(x, y)
        return score


def _methods(model: Any) -> _Model:
    return model.score_one, model.learn_one


def _finite(raw: list[Any]) -> Float64:
    # Some give None, infinity or NaN before they have learnt enough: nothing strange is known then.
    scores = np.array([0.0 if score is None else score for score in raw], np.float64)
    return np.where(np.isfinite(scores), np.maximum(scores, 0.0), 0.0)
