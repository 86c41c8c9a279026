"""How a group of accounts behaves together, against ordinary groups: online models of River over features of groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.campaigns.candidates import Activity
from pipeline.campaigns.graph import Account
from pipeline.detectors.river_state import dump_model, load_model
from pipeline.state import Saved

#: Groups seen before a model says anything.
_GRACE = 100
#: What one feature adds at most.
_MOST_NATS = 2.0
_HALF = 24
_MINUTES = 60.0

#: Features of a group's latest two days: name, what it shows, and which side of ordinary is strange.
FEATURES: dict[str, tuple[str, int]] = {
    "volume": ("ln(1 + output tokens per member and hour with calls): answers drawn out", 1),
    "growth": ("ln of the tokens of the latest day over those of the day before: all began at once", 1),
    "regularity": ("minus the deviation of ln(calls) between members: load that is dealt out evenly", 1),
    "synchrony": ("share of members at work in an hour in which any is: one shift for all", 1),
    "complement": ("distinct minutes with calls over those that calls at random would fill: taking turns", 1),
    "youth": ("minus ln(1 + hours since sign-up or first call), mean of the members: opened for the purpose", 1),
    "templates": ("share of calls of known prompt families", 1),
}


def features_of(accounts: Sequence[Account], hour: int) -> dict[str, float]:
    """The features of a group in the two days before the end of `hour`."""
    recent = [account.recent(hour - 2 * _HALF + 1) for account in accounts]
    hours = [one for past in recent for one in past]
    calls = sum(one.calls for one in hours)
    new = sum(one.output_tokens for one in hours if one.hour > hour - _HALF)
    old = sum(one.output_tokens for one in hours) - new
    logs = [math.log(sum(one.calls for one in past)) for past in recent if past]
    by_hour: dict[int, list[Activity]] = {}
    for one in hours:
        by_hour.setdefault(one.hour, []).append(one)
    ordered = [by_hour[at] for at in sorted(by_hour)]
    mean = sum(logs) / max(1, len(logs))
    deviation = math.sqrt(sum((one - mean) ** 2 for one in logs) / max(1, len(logs)))
    return {
        "volume": math.log1p(new / max(1, sum(one.hour > hour - _HALF for one in hours))),
        "growth": math.log((new + 1_000.0) / (old + 1_000.0)),
        "regularity": -deviation,
        "synchrony": sum(len(one) for one in ordered) / max(1, len(ordered) * len(recent)),
        "complement": sum(map(_complement, ordered)) / max(1, len(ordered)),
        "youth": -sum(math.log1p(max(0, hour - one.latest.first_hour)) for one in accounts) / max(1, len(accounts)),
        "templates": sum(one.templated for one in hours) / max(1, calls),
    }


class GroupModels:
    """A Gaussian of River for each feature, learnt from all groups whose members share a rare link."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    @property
    def _models(self) -> dict[str, Any]:
        # River takes a second to load, and most partitions never see a group.
        if not self._known:
            from river import anomaly

            gaussian: Any = anomaly.GaussianScorer
            self._known = {name: gaussian(grace_period=_GRACE) for name in FEATURES}
        return self._known

    def learn(self, features: dict[str, float]) -> None:
        """Learn what a group is like."""
        for name, value in features.items():
            self._models[name].learn_one(None, value)

    def nats(self, features: dict[str, float]) -> dict[str, float]:
        """What each feature adds: ``-ln(1 - score)`` less the 1 that it is on average, where it is on the strange side."""
        found = {}
        for name, value in features.items():
            model = self._models[name]
            if (value - model.gaussian.mu) * FEATURES[name][1] <= 0.0:
                continue
            nats = -math.log(max(1.0 - float(model.score_one(None, value)), 1e-9)) - 1.0
            if nats > 0.0:
                found[name] = min(nats, _MOST_NATS)
        return found

    def expected(self, name: str) -> float:
        """What is ordinary of a feature."""
        return float(self._models[name].gaussian.mu)

    def save(self) -> Saved:
        """All that was learnt; nothing before the first group."""
        return Saved(shared={name: np.frombuffer(dump_model(model), np.uint8) for name, model in self._known.items()})

    def load(self, saved: Saved) -> None:
        """Put back what `save` gave."""
        self._known = {name: load_model(saved.shared[name].tobytes()) for name in FEATURES if name in saved.shared}


def _complement(hours: Sequence[Activity]) -> float:
    # Minutes in which any of the members called, over those that as many minutes spread at random would cover.
    total = sum(one.minutes.bit_count() for one in hours)
    union = 0
    for one in hours:
        union |= one.minutes
    return union.bit_count() / (_MINUTES * (1.0 - (1.0 - 1.0 / _MINUTES) ** total))
