"""A model of River for each account, created at the account's first event."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

from pipeline.detectors.base import Contribution
from pipeline.detectors.location_scale import Moments, PeerLocationScale

#: Empty windows that are learnt at most, one by one, by a model that has no way to learn many at once.
_MOST_ZEROS = 168


class PeerDetector:
    """`PeerLocationScale` per account, with peers in common. See `pipeline.detectors.base.Detector`."""

    def __init__(
        self, name: str, features: tuple[str, ...], fill_zeros: bool, create: Callable[..., PeerLocationScale]
    ) -> None:
        self.name = name
        self._features = features
        self._fill_zeros = fill_zeros
        self._peers: dict[Hashable, Moments] = {}
        self._create = create
        self._models: dict[int, PeerLocationScale] = {}

    def score(self, slot: int, values: tuple[float, ...]) -> float:
        """The raw score; see `Detector`."""
        return _finite(self._model(slot).score_one(dict(zip(self._features, values, strict=True))))

    def explain(self, slot: int, values: tuple[float, ...]) -> list[Contribution]:
        """Each feature's squared excess; see `Detector`."""
        model = self._model(slot)
        contributions = []
        for feature, value in zip(self._features, values, strict=True):
            mean, _ = model.expectation(feature)
            weight = model.score_one({feature: value})
            if weight > 0.0:
                contributions.append(Contribution(feature, value, mean, weight))
        return sorted(contributions, key=lambda contribution: -contribution.weight)

    def learn(self, slot: int, values: tuple[float, ...], empty_before: int) -> None:
        """Learn; see `Detector`."""
        model = self._model(slot)
        if empty_before and self._fill_zeros:
            model.learn_zeros(self._features, empty_before)
        model.learn_one(dict(zip(self._features, values, strict=True)))

    def _model(self, slot: int) -> PeerLocationScale:
        model = self._models.get(slot)
        if model is None:
            model = self._models[slot] = self._create(peers=self._peers)
        return model


class RiverDetector:
    """Any anomaly detector of River, one per account or one for all. See `pipeline.detectors.base.Detector`.

    A supervised one takes the last feature as its target. River's detectors do not say which feature moved their score, so the
    reasons compare each feature with its mean and deviation over all accounts of the partition.
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
        self._usual = [Moments(50_000.0) for _ in features]
        self._zeros = (0.0,) * len(features)

    def score(self, slot: int, values: tuple[float, ...]) -> float:
        """The raw score; see `Detector`."""
        model = self._model(slot)
        x = dict(zip(self._features, values, strict=True))
        try:
            if self._supervised:
                y = x.pop(self._features[-1])
                return _finite(model.score_one(x, y))
            return _finite(model.score_one(x))
        except ArithmeticError:
            # Some divide by a spread that is still zero.
            return 0.0

    def explain(self, slot: int, values: tuple[float, ...]) -> list[Contribution]:
        """Features by how far they are from the partition's usual; see `Detector`."""
        contributions = []
        for feature, value, usual in zip(self._features, values, self._usual, strict=True):
            scale = max(math.sqrt(usual.variance), 1e-3)
            contributions.append(Contribution(feature, value, usual.mean, ((value - usual.mean) / scale) ** 2))
        return sorted(contributions, key=lambda contribution: -contribution.weight)

    def learn(self, slot: int, values: tuple[float, ...], empty_before: int) -> None:
        """Learn; see `Detector`."""
        model = self._model(slot)
        if empty_before and self._fill_zeros:
            for _ in range(min(empty_before, _MOST_ZEROS)):
                self._learn_one(model, self._zeros)
        self._learn_one(model, values)
        for value, usual in zip(values, self._usual, strict=True):
            usual.update(value)

    def _learn_one(self, model: Any, values: tuple[float, ...]) -> None:
        x = dict(zip(self._features, values, strict=True))
        if self._supervised:
            y = x.pop(self._features[-1])
            model.learn_one(x, y)
        else:
            model.learn_one(x)

    def _model(self, slot: int) -> Any:
        key = 0 if self._shared else slot
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = self._create()
        return model


def _finite(score: Any) -> float:
    # Some of River's models give None, infinity or NaN before they have learnt enough: nothing strange is known then.
    if score is None or not math.isfinite(score):
        return 0.0
    return max(float(score), 0.0)
