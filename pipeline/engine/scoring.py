"""From the features of events or windows to scores and reasons: the detectors side by side, then one calibrated score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.adaptive import AdaptiveLevels
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


@dataclass(frozen=True, slots=True)
class Scored:
    """N rows scored. `members` has what each detector thought of them and its own calibrated scores (N,)."""

    score: Float64
    reasons: list[Sequence[Reason]]
    rows: Float64
    members: dict[str, tuple[Member, Judgement, Float64]] = field(default_factory=dict)

    def explain(self, row: int, names: Sequence[str] = ()) -> list[Reason]:
        """The reasons of a row as all detectors see it, or only those named."""
        chosen = [one for name, one in self.members.items() if not names or name in names]
        # A detector counts by how rare its score was, and shares that out among its features.
        rarities = [-math.log(1.0 - float(scores[row])) for _, _, scores in chosen]
        total = sum(rarities)
        shares: dict[str, tuple[float, float, float]] = {}
        for (member, judgement, _), rarity in zip(chosen, rarities, strict=True):
            weights = judgement.weight[row].tolist()
            weight = sum(weights)
            if weight <= 0.0 or rarity <= 0.0:
                continue
            own = judgement.observed
            values = (self.rows[row][member.columns] if own is None else own[row]).tolist()
            features = judgement.names or member.features
            for feature, part, value, location in zip(
                features, weights, values, judgement.expected[row].tolist(), strict=True
            ):
                if part > 0.0:
                    name, seen, usual = in_units(feature, value, location)
                    before = shares.get(name, (seen, usual, 0.0))
                    shares[name] = (*before[:2], before[2] + rarity / total * part / weight)
        leading = sorted(shares.items(), key=lambda item: (-item[1][2], item[0]))[:_MOST_REASONS]
        return [Reason(name, *entry) for name, entry in leading]


class Scorer:
    """The detectors that look at the same rows: events, or windows of one length.

    Each detector's raw score is calibrated by its own ranks; the largest calibrated score of several is ranked once more, so that
    looking with many detectors does not make scores larger than they should be (minimum-p combination, Tippett 1931). What comes
    of it is held to its shares for each account (`AdaptiveLevels`).
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
        self.levels = AdaptiveLevels()

    def score_and_learn(self, slots: Int64, rows: Float64, empty_before: Int64, reasons_from: float) -> Scored:
        """Score rows (N, number of columns) in order and learn them; rows from `reasons_from` on get reasons."""
        reasons = [_NO_REASONS] * slots.size
        if not self.members or not slots.size:
            return Scored(np.zeros(slots.size), reasons, rows)
        judgements = [member.detector.judge(slots, rows[:, member.columns], empty_before) for member in self.members]
        scores = [member.calibrator.calibrate(one.raw) for member, one in zip(self.members, judgements, strict=True)]
        score: NDArray[np.float64] = scores[0]
        if len(self.members) > 1:
            score = self.combined.calibrate(np.max(scores, axis=0))
        scored = Scored(
            self.levels.adapt(slots, score),
            reasons,
            rows,
            {
                member.detector.name: (member, judgement, one)
                for member, judgement, one in zip(self.members, judgements, scores, strict=True)
            },
        )
        for row in np.flatnonzero(scored.score >= reasons_from).tolist():
            reasons[row] = scored.explain(row)
        return scored


def in_units(feature: str, observed: float, expected: float) -> tuple[str, float, float]:
    """A feature for people, who read tokens, not logarithms of tokens: its name, the value seen and the one expected."""
    if feature.startswith("log_"):
        return feature[4:], math.expm1(observed), math.expm1(max(expected, 0.0))
    return feature, observed, expected
