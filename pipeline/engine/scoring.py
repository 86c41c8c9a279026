"""From the features of events or windows to scores and reasons: the detectors side by side, then one calibrated score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.detectors.base import Contribution, Detector
from pipeline.detectors.conformal import ConformalCalibrator
from pipeline.incidents.incident import Reason

_MOST_REASONS = 5


@dataclass(slots=True)
class _Member:
    detector: Detector
    columns: tuple[int, ...]
    calibrator: ConformalCalibrator


class Scorer:
    """The detectors that look at the same rows: events, or windows of one length.

    Each detector's raw score is calibrated by its own ranks; the largest calibrated score of several is ranked once more, so that
    looking with many detectors does not make scores larger than they should be (minimum-p combination, Tippett 1931).
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        features: Sequence[tuple[str, ...]],
        columns: Sequence[str],
        calibration_scores: int,
    ) -> None:
        """`features[i]` are those of `detectors[i]`, `columns` the names of the values of a row."""
        self._members = [
            _Member(detector, tuple(columns.index(name) for name in names), ConformalCalibrator(calibration_scores))
            for detector, names in zip(detectors, features, strict=True)
        ]
        self._combined = ConformalCalibrator(calibration_scores)

    def score_and_learn(
        self, slot: int, row: Sequence[float], empty_before: int, reasons_from: float
    ) -> tuple[float, Sequence[Reason]]:
        """Score a row of `columns`, say why when the score is at least `reasons_from`, then learn the row."""
        views = []
        scores = []
        for member in self._members:
            values = tuple([row[column] for column in member.columns])
            views.append(values)
            scores.append(member.calibrator.calibrate(member.detector.score(slot, values)))
        if not scores:
            return 0.0, ()
        score = scores[0] if len(scores) == 1 else self._combined.calibrate(max(scores))
        reasons: Sequence[Reason] = ()
        if score >= reasons_from:
            reasons = self._reasons(slot, views, scores)
        for member, values in zip(self._members, views, strict=True):
            member.detector.learn(slot, values, empty_before)
        return score, reasons

    def _reasons(self, slot: int, views: list[tuple[float, ...]], scores: list[float]) -> list[Reason]:
        # A detector counts by how rare its score was, and shares that out among its features.
        shares: dict[str, list[float]] = {}
        total = sum(-math.log(1.0 - score) for score in scores) or 1.0
        for member, values, score in zip(self._members, views, scores, strict=True):
            contributions = member.detector.explain(slot, values)
            weight = sum(contribution.weight for contribution in contributions)
            if weight <= 0.0:
                continue
            for contribution in contributions:
                share = -math.log(1.0 - score) / total * contribution.weight / weight
                name, observed, expected = _in_units(contribution)
                entry = shares.setdefault(name, [observed, expected, 0.0])
                entry[2] += share
        leading = sorted(shares.items(), key=lambda item: (-item[1][2], item[0]))[:_MOST_REASONS]
        return [Reason(name, observed, expected, share) for name, (observed, expected, share) in leading if share > 0.0]


def _in_units(contribution: Contribution) -> tuple[str, float, float]:
    # People read tokens, not logarithms of tokens.
    if contribution.feature.startswith("log_"):
        return contribution.feature[4:], math.expm1(contribution.observed), math.expm1(max(contribution.expected, 0.0))
    return contribution.feature, contribution.observed, contribution.expected
