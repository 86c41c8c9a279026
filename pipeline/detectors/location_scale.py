"""Robust location and scale of an account, shrunk to those of its peers: the model, one account at a time.

`pipeline.detectors.peer` runs the same model for whole batches; a test holds the two to the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

from river.base import AnomalyDetector

#: The scale of a logarithm never counts as less than this: a sixth more or less is nothing strange.
SCALE_FLOOR = 0.15
#: Scales from the expected value beyond which a value is learnt as no further off.
CLIP = 3.0
#: Observations of its own before values are clipped.
CLIP_AFTER = 3.0
#: Peers forget this many times slower than the account itself.
PEER_PATIENCE = 1000.0


class Moments:
    """Mean and variance with exponential forgetting; exact for repeated values without repeating the work.

    The weight of an observation halves every `half_life` observations (West 1979, weighted incremental form).
    """

    __slots__ = ("decay", "mean", "variance", "weight")

    def __init__(self, half_life: float) -> None:
        self.decay = 0.5 ** (1.0 / half_life)
        self.weight = 0.0
        self.mean = 0.0
        self.variance = 0.0

    def update(self, value: float, times: int = 1) -> None:
        """Observe `value`, `times` times in a row."""
        power = self.decay**times
        added = 1.0 if times == 1 else (1.0 - power) / (1.0 - self.decay)
        total = self.weight * power + added
        delta = value - self.mean
        part = added / total
        self.mean += delta * part
        self.variance = (1.0 - part) * (self.variance + part * delta * delta)
        self.weight = total


class PeerLocationScale(AnomalyDetector):
    """How far each feature lies above what the account, or while that is young its peers, would lead one to expect.

    Location and scale per feature are those of the account's own past, shrunk to those of all accounts that share `peers`
    with the weight of `prior` observations (empirical Bayes, normal model: Gelman et al., Bayesian Data Analysis, 2.5). The
    raw score is the sum over features of the squared standardised excess. Values further than three scales from the
    expected are learnt as three scales, so that one burst does not become the norm.

    Parameters
    ----------
    half_life
        Observations after which one counts half.
    prior
        Observations of its own after which the account weighs as much as its peers.
    both_sides
        Whether less than expected is strange too.
    peers
        Moments per feature shared between models; each model has its own when None.

    Examples
    --------
    >>> model = PeerLocationScale(half_life=100, prior=5)
    >>> for calls in (3, 4, 5, 4, 3, 4, 5, 4):
    ...     model.learn_one({"calls": calls})
    >>> model.score_one({"calls": 4}) < 1 < model.score_one({"calls": 40})
    True
    """

    def __init__(
        self,
        half_life: float = 168.0,
        prior: float = 24.0,
        both_sides: bool = False,
        peers: dict[Hashable, Moments] | None = None,
    ) -> None:
        self.half_life = half_life
        self.prior = prior
        self.both_sides = both_sides
        self.peers: dict[Hashable, Moments] = {} if peers is None else peers
        self.own: dict[Hashable, Moments] = {}

    def expectation(self, feature: Hashable) -> tuple[float, float]:
        """Location and scale that the next value of `feature` is expected to have."""
        peers = self.peers.get(feature) or Moments(1.0)
        own = self.own.get(feature) or Moments(1.0)
        if peers.weight == 0.0 and own.weight == 0.0:
            return 0.0, 1.0
        share = own.weight / (own.weight + self.prior)
        mean = share * own.mean + (1.0 - share) * peers.mean
        variance = share * own.variance + (1.0 - share) * peers.variance
        return mean, max(math.sqrt(variance), SCALE_FLOOR)

    def score_one(self, x: dict[Hashable, float]) -> float:
        """Sum of squared standardised excesses; 0 when nothing exceeds what is expected."""
        total = 0.0
        for feature, value in x.items():
            mean, scale = self.expectation(feature)
            excess = (value - mean) / scale
            if excess > 0.0 or self.both_sides:
                total += excess * excess
        return total

    def learn_one(self, x: dict[Hashable, float]) -> None:
        """Learn the values, those far off as three scales off."""
        for feature, value in x.items():
            mean, scale = self.expectation(feature)
            if feature not in self.peers:
                self.peers[feature] = Moments(PEER_PATIENCE * self.half_life)
            self.peers[feature].update(value)
            own = self._own(feature)
            if own.weight >= CLIP_AFTER:
                value = min(max(value, mean - CLIP * scale), mean + CLIP * scale)
            own.update(value)

    def learn_zeros(self, features: tuple[str, ...], times: int) -> None:
        """Learn `times` observations of nothing at all; peers, who are those that call, do not change."""
        for feature in features:
            self._own(feature).update(0.0, times)

    def _own(self, feature: Hashable) -> Moments:
        own = self.own.get(feature)
        if own is None:
            own = self.own[feature] = Moments(self.half_life)
        return own
