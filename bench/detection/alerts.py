"""From scores of windows to incidents, as Stillwatch makes them of hours: what exceeds a threshold opens one, which goes on until
the account has been quiet for two days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.detection.stream import Stream
from bench.detection.windows import Float64, Int64, Windows
from pipeline.settings import IncidentSettings
from replay.evaluate import Detection

_QUIET_MS = IncidentSettings().quiet_s * 1000
#: Thresholds that are tried for the best F1.
_TRIED = 60


@dataclass(frozen=True, slots=True)
class Scored:
    """A detector's scores of one seed's windows."""

    windows: Windows
    scores: Float64


@dataclass(frozen=True, slots=True)
class Best:
    """The threshold at which precision over incidents and recall of labels are best together."""

    f1: float
    precision: float
    recall: float
    false_alerts_per_1000_account_days: float


def detections_at(threshold: float, scored: Sequence[Scored]) -> list[Detection]:
    """The incidents that scores of `threshold` or more make."""
    return [
        _detection(one.windows, begin, end, one.scores) for one in scored for begin, end in _incidents(one, threshold)
    ]


def at_equal_false_alerts(stream: Stream, scored: Sequence[Scored], allowed: int) -> float:
    """The lowest threshold with at most `allowed` false alerts.

    By bisection: false alerts grow as the threshold falls, but where two incidents become one.
    """
    thresholds = _distinct(scored)
    low, high = 0, len(thresholds)
    best = np.inf
    while low < high:
        middle = (low + high) // 2
        if stream.evaluate(detections_at(thresholds[middle], scored)).false_alerts <= allowed:
            best = thresholds[middle]
            low = middle + 1
        else:
            high = middle
    return best


def best_f1(stream: Stream, scored: Sequence[Scored]) -> Best:
    """The best of thresholds from the highest score down to one that a tenth of all windows reaches, denser at the top."""
    thresholds = _distinct(scored)
    everything = np.sort(np.concatenate([one.scores for one in scored]))[::-1]
    tried = np.unique(np.geomspace(1, max(1, everything.size // 10), _TRIED).astype(int)) - 1
    best = Best(0.0, 0.0, 0.0, 0.0)
    for threshold in sorted({float(value) for value in everything[tried] if np.isfinite(value)} & set(thresholds)):
        evaluation = stream.evaluate(detections_at(threshold, scored))
        precision, recall = evaluation.precision or 0.0, evaluation.kinds[-1].recall
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        if f1 > best.f1:
            best = Best(f1, precision, recall, evaluation.false_alerts_per_1000_account_days or 0.0)
    return best


def account_peaks(scored: Sequence[Scored]) -> dict[str, float]:
    """The highest score of each account."""
    peaks: dict[str, float] = {}
    for one in scored:
        highest = np.full(len(one.windows.account_id), -np.inf)
        np.maximum.at(highest, one.windows.account, one.scores)
        peaks.update(zip(one.windows.account_id, highest.tolist(), strict=True))
    return peaks


def _incidents(one: Scored, threshold: float) -> list[tuple[int, int]]:
    # First and last row of each incident.
    rows = np.flatnonzero(one.scores >= threshold)
    account, end_ms = one.windows.account, one.windows.end_ms
    rows = rows[np.lexsort((end_ms[rows], account[rows]))]
    apart = (np.diff(account[rows]) != 0) | (np.diff(end_ms[rows]) > _QUIET_MS)
    groups: list[Int64] = np.split(rows, np.flatnonzero(apart) + 1)
    return [(int(group[0]), int(group[-1])) for group in groups if group.size]


def _detection(windows: Windows, first: int, last: int, scores: Float64) -> Detection:
    account = windows.account_id[windows.account[first]]
    end_ms = int(windows.end_ms[first])
    return Detection(
        incident_id=f"{account} {end_ms}",
        entity_type="account",
        entity_id=account,
        account_id=account,
        opened_at=end_ms - 1000 * windows.window_s,
        detected_at=end_ms,
        ended_at=int(windows.end_ms[last]) + _QUIET_MS,
        severity="low",
        status="closed",
        peak_score=float(scores[first]),
    )


def _distinct(scored: Sequence[Scored]) -> list[float]:
    # Falling.
    values = np.unique(np.concatenate([one.scores for one in scored]))[::-1]
    return [float(value) for value in values[np.isfinite(values)]]
