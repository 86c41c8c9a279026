"""From the features of events or windows to scores and reasons: the detectors side by side, then one calibrated score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.base import Detector, Float64, Int64, Judgement
from pipeline.detectors.conformal import ConformalCalibrator
from pipeline.incidents.incident import Reason

_MOST_REASONS = 5
_NO_REASONS: Sequence[Reason] = ()


@dataclass(slots=True)
class Member:
    """A detector of a scorer and the calibration of its raw scores."""

    detector: Detector
    features: tuple[str, ...]
    columns: Int64
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
        self.members = [
            Member(
                detector,
                names,
                np.array([columns.index(name) for name in names], np.int64),
                ConformalCalibrator(calibration_scores),
            )
            for detector, names in zip(detectors, features, strict=True)
        ]
        self.combined = ConformalCalibrator(calibration_scores)

    def score_and_learn(
        self, slots: Int64, rows: Float64, empty_before: Int64, reasons_from: float
    ) -> tuple[Float64, list[Sequence[Reason]]]:
        """Score rows (N, number of columns) in order and learn them; rows from `reasons_from` on get reasons."""
        reasons = [_NO_REASONS] * slots.size
        if not self.members or not slots.size:
            return np.zeros(slots.size), reasons
        judgements = [member.detector.judge(slots, rows[:, member.columns], empty_before) for member in self.members]
        scores = np.column_stack(
            [member.calibrator.calibrate(one.raw) for member, one in zip(self.members, judgements, strict=True)]
        )
        score: NDArray[np.float64] = scores[:, 0]
        if len(self.members) > 1:
            score = self.combined.calibrate(scores.max(axis=1))
        for row in np.flatnonzero(score >= reasons_from).tolist():
            reasons[row] = self._reasons(row, rows[row], judgements, scores[row].tolist())
        return score, reasons

    def _reasons(
        self, row: int, observed: Float64, judgements: Sequence[Judgement], scores: list[float]
    ) -> list[Reason]:
        # A detector counts by how rare its score was, and shares that out among its features.
        total = sum(-math.log(1.0 - score) for score in scores)
        shares: dict[str, tuple[float, float, float]] = {}
        for member, judgement, score in zip(self.members, judgements, scores, strict=True):
            weights = judgement.weight[row].tolist()
            weight = sum(weights)
            if weight <= 0.0 or score <= 0.0:
                continue
            values = observed[member.columns].tolist()
            expected = judgement.expected[row].tolist()
            for feature, part, value, location in zip(member.features, weights, values, expected, strict=True):
                if part > 0.0:
                    name, seen, usual = in_units(feature, value, location)
                    before = shares.get(name, (seen, usual, 0.0))
                    shares[name] = (*before[:2], before[2] - math.log(1.0 - score) / total * part / weight)
        leading = sorted(shares.items(), key=lambda item: (-item[1][2], item[0]))[:_MOST_REASONS]
        return [Reason(name, *entry) for name, entry in leading]


def in_units(feature: str, observed: float, expected: float) -> tuple[str, float, float]:
    """A feature for people, who read tokens, not logarithms of tokens: its name, the value seen and the one expected."""
    if feature.startswith("log_"):
        return feature[4:], math.expm1(observed), math.expm1(max(expected, 0.0))
    return feature, observed, expected
