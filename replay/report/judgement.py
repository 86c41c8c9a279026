"""Precision against recall as the threshold falls, and how many scores exceed what they should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from pipeline.store.client import Store
from replay.evaluate import Detection
from replay.queries import query

#: Shares of ordinary scores that are to exceed a score of 1 less the share.
EXPECTED_SHARES = tuple(base / 10**power for power in range(1, 5) for base in (5, 2, 1))
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class TradeOff:
    """Precision and recall over accounts when those count that reach a threshold."""

    threshold: float
    recall: float
    precision: float
    accounts: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What share of scores exceeds each 1 - `expected`."""

    of: str
    scored: int
    expected: tuple[float, ...]
    observed: tuple[float, ...]


def trade_offs(peaks: Mapping[str, float], extracting: Set[str]) -> list[TradeOff]:
    """The points of the curve, from the highest threshold to the lowest; none where nothing is to be found.

    `peaks` has the highest score of each account that has one.
    """
    points: list[TradeOff] = []
    if not extracting:
        return points
    ranked = sorted(peaks.items(), key=lambda item: -item[1])
    true = 0
    for rank, (account, peak) in enumerate(ranked, 1):
        true += account in extracting
        if rank == len(ranked) or ranked[rank][1] < peak:
            points.append(TradeOff(peak, true / len(extracting), true / rank, rank))
    return points


def evidence_peaks(detections: Sequence[Detection]) -> dict[str, float]:
    """The highest peak of the incidents of each account, those of its campaigns included."""
    peaks: dict[str, float] = {}
    for one in detections:
        peaks[one.account_id] = max(one.peak_score, peaks.get(one.account_id, 0.0))
    return peaks


def read_calibration(store: Store, run_id: str, extracting: Set[str]) -> list[Calibration]:
    """The calibration of calls' and of windows' scores over all accounts but those that extract."""
    thresholds = [1.0 - share for share in EXPECTED_SHARES]
    parameters = {"run_id": run_id, "thresholds": thresholds}
    counts = _counts(store, {**parameters, "everyone": 1, "accounts": []})
    names = sorted(extracting)
    for at in range(0, len(names), _CHUNK):
        less = _counts(store, {**parameters, "everyone": 0, "accounts": names[at : at + _CHUNK]})
        counts = {of: [all_ - one for all_, one in zip(counts[of], less[of], strict=True)] for of in counts}
    return [
        Calibration(of, scored, EXPECTED_SHARES, tuple(one / scored for one in above))
        for of, (scored, *above) in counts.items()
        if scored
    ]


def _counts(store: Store, parameters: Mapping[str, object]) -> dict[str, list[int]]:
    # Of nothing there is no sum for each threshold.
    return {
        of: [scored, *(above or [0] * len(EXPECTED_SHARES))]
        for of, scored, above in store.query_rows(query("report_calibration"), parameters)
    }
