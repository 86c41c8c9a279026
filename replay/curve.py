"""Precision and recall over all thresholds, by the most evidence that each account has shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.queries import query
from replay.window import Window

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
#: Points that are kept of a curve; between them it is as good as straight.
_MOST_POINTS = 200


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold would give."""

    threshold: float
    """Evidence in nats."""
    precision: float
    recall: float
    false_accounts: int


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts told apart by their peak of evidence; campaigns are not in it."""

    extracting: int
    others: int
    average_precision: float | None
    """The mean of precision over recall: sum of (R[n] - R[n-1]) P[n], without interpolation (Manning et al. 2008, 8.4)."""
    points: tuple[Point, ...]
    """From the highest threshold to the lowest; 200 at most."""


def curve(extracting: Sequence[float], others: Sequence[float]) -> Curve:
    """The curve of peaks of accounts that extract, and of the others."""
    peaks = np.concatenate([np.asarray(extracting, float), np.asarray(others, float)])
    true = np.arange(peaks.size) < len(extracting)
    order = np.argsort(-peaks, kind="stable")
    peaks, true = peaks[order], true[order]
    # Accounts with equal peaks are told apart by no threshold: one point for all of them.
    last = np.flatnonzero(np.append(np.diff(peaks) != 0, True)) if peaks.size else np.zeros(0, np.int64)
    hits = np.cumsum(true)[last]
    precision = hits / (last + 1)
    recall = hits / max(len(extracting), 1)
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision)) if len(extracting) else None
    kept = np.arange(last.size) if last.size <= _MOST_POINTS else _spread(last.size)
    return Curve(
        extracting=len(extracting),
        others=len(others),
        average_precision=average,
        points=tuple(
            Point(
                threshold=float(peaks[last[at]]),
                precision=float(precision[at]),
                recall=float(recall[at]),
                false_accounts=int(last[at] + 1 - hits[at]),
            )
            for at in kept.tolist()
        ),
    )


def read_curve(store: Store, run_id: str, labels: Sequence[Label], window: Window) -> Curve:
    """The curve of a run. Of labelled accounts only hours count that a label is about, until a day after it."""
    within = {"run_id": run_id, **window.bounds}
    of_account: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        of_account[label.account_id].append(label)
    peaks = dict.fromkeys(of_account, 0.0)
    wanted = sorted(of_account)
    for at in range(0, len(wanted), 1000):
        parameters = {**within, "accounts": wanted[at : at + 1000]}
        for account, hour, evidence in store.query_rows(query("evidence_by_hour"), parameters):
            if any(one.start - HOUR_MS < hour <= one.end + DAY_MS for one in of_account[account]):
                peaks[account] = max(peaks[account], evidence)
    others = [peak for account, peak in store.query_rows(query("peak_evidence"), within) if account not in of_account]
    return curve(list(peaks.values()), others)


def _spread(count: int) -> NDArray[np.int64]:
    # Dense where thresholds are high, which is where they are chosen.
    places: NDArray[np.int64] = np.unique(np.geomspace(1, count, _MOST_POINTS).astype(np.int64)) - 1
    return places
