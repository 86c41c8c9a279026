"""The benchmark's scoring (Lavin and Ahmad, Evaluating Real-time Anomaly Detection Algorithms, ICMLA 2015).

A row whose anomaly score reaches the threshold is a detection. In each window the best detection counts, worth nearly 1 at its
left edge and 0 at its right; a window without any costs. Each detection outside costs, little just after a window and all
of its cost from three widths of the window on. The first rows of a series are for learning and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Windows = Sequence[tuple[int, int]]

#: No score reaches this threshold.
NO_DETECTION = 1.1
_STEEPNESS = 5.0
_FAR = 3.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What a profile makes of detections: weights of true ones, of false ones and of missed windows."""

    true_positive: float
    false_positive: float
    false_negative: float


@dataclass(frozen=True, slots=True)
class FileScore:
    """Raw score of a series at a threshold, and its rows by kind."""

    score: float
    true_positives: int
    true_negatives: int
    false_positives: int
    false_negatives: int


@dataclass(frozen=True, slots=True)
class Scored:
    """What of a series scoring needs: of its N rows after the probationary period."""

    worth: Float64
    """(N,): what a detection at the row adds; of those in one window only the best counts."""
    window: Int64
    """(N,): number of the row's window, -1 outside."""
    anomaly: Float64
    """(N,): the detector's scores."""


def probationary_rows(rows: int) -> int:
    """Rows at the beginning of a series that are not scored: 15%, at most 750."""
    return min(int(0.15 * rows), 750)


def scaled_sigmoid(position: Float64) -> Float64:
    """Worth of a detection by its position relative to a window: -1 at the left edge, 0 at the right one, positive behind it."""
    worth = 2.0 / (1.0 + np.exp(_STEEPNESS * np.minimum(position, _FAR))) - 1.0
    return np.where(position > _FAR, -1.0, worth)


def prepare(anomaly: Float64, windows: Windows, costs: Costs) -> Scored:
    """Lay out a series' anomaly scores (N,) in [0, 1] for scoring; `windows` are the first and last row of each, in order."""
    row = np.arange(anomaly.size)
    window = np.full(anomaly.size, -1)
    worth = np.full(anomaly.size, -costs.false_positive)
    best = float(scaled_sigmoid(np.array([-1.0]))[0])
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        inside = slice(first, last + 1)
        window[inside] = number
        worth[inside] = scaled_sigmoid((row[inside] - last - 1) / width) / best * costs.true_positive
        behind = slice(last + 1, windows[number + 1][0] if number + 1 < len(windows) else None)
        worth[behind] = scaled_sigmoid((row[behind] - last) / (width - 1)) * costs.false_positive
    counts = slice(probationary_rows(anomaly.size), None)
    return Scored(worth[counts], window[counts], anomaly[counts])


def score_at(one: Scored, costs: Costs, threshold: float) -> FileScore:
    """Score of a series when rows from `threshold` on are detections."""
    detected = one.anomaly >= threshold
    inside = one.window >= 0
    score = float(one.worth[detected & ~inside].sum())
    for number in np.unique(one.window[inside]):
        hits = one.worth[detected & (one.window == number)]
        score += float(hits.max(initial=-costs.false_negative))
    return FileScore(
        score,
        int(np.sum(detected & inside)),
        int(np.sum(~detected & ~inside)),
        int(np.sum(detected & ~inside)),
        int(np.sum(~detected & inside)),
    )


def best_threshold(corpus: Sequence[Scored], costs: Costs) -> tuple[float, float]:
    """The threshold with the highest raw score over the whole corpus, the highest such threshold, and that score."""
    gains: list[Float64] = []
    anomaly: list[Float64] = []
    nothing_found = 0.0
    for one in corpus:
        outside = one.window < 0
        gains.append(one.worth[outside])
        anomaly.append(one.anomaly[outside])
        for number in np.unique(one.window[~outside]):
            # Down the threshold a window's worth only grows: row after row by what the row adds to the best so far.
            here = one.window == number
            order = np.argsort(-one.anomaly[here], kind="stable")
            best = np.maximum.accumulate(np.maximum(one.worth[here][order], -costs.false_negative))
            gains.append(np.diff(best, prepend=-costs.false_negative))
            anomaly.append(one.anomaly[here][order])
            nothing_found -= costs.false_negative
    scores = np.concatenate(anomaly)
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    totals = nothing_found + np.cumsum(np.concatenate(gains)[order])
    # Equal scores are reached together.
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    best_of = int(np.argmax(totals[last]))
    if totals[last][best_of] <= nothing_found:
        return NO_DETECTION, nothing_found
    return float(scores[last][best_of]), float(totals[last][best_of])


def normalise(raw: float, windows: int, costs: Costs) -> float:
    """From a corpus' raw score to 0 for a detector that finds nothing and 100 for a perfect one."""
    nothing = -costs.false_negative * windows
    return 100.0 * (raw - nothing) / (costs.true_positive * windows - nothing)
