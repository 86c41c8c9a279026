"""Baselines beside Stillwatch on the same stream, each at as many false alerts as Stillwatch made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.detection.alerts import Best, Scored, account_peaks, at_equal_false_alerts, best_f1, detections_at
from bench.detection.baselines import BASELINES, Baseline
from bench.detection.ranking import Ranking, rank
from bench.detection.stream import Stream
from bench.detection.targets import ALONE, POOLS, together
from bench.detection.windows import HOUR_S, Float64, Windows
from replay.evaluate import Detection


@dataclass(frozen=True, slots=True)
class Compared:
    """A row of the comparison."""

    name: str
    sees: str
    threshold: float | None
    """Score that opens an incident; None for Stillwatch, which sets its own."""
    recall: dict[str, float]
    """By kind, and for `alone`, `pools` and `all`."""
    precision: float | None
    false_alerts: int
    false_alerts_per_1000_account_days: float | None
    leaked: dict[str, float | None]
    """Median over labels, for `alone`, `pools` and `all`."""
    ranking: Ranking | None
    best: Best | None
    """None for Stillwatch, which has one threshold."""
    seconds: float | None
    """Of processor time for all windows; None for Stillwatch."""


def score(baseline: Baseline, windows: Windows) -> tuple[Float64, float] | str:
    """Scores of windows and seconds of processor time; or, where its library is not installed, the line that says so."""
    begin = time.process_time()
    try:
        scores = baseline.score(windows)
    except ImportError as error:
        return f"{baseline.name} left out, {error}: pip install '.[bench]'"
    return scores, time.process_time() - begin


def compare(stream: Stream, seeds: Sequence[Stream], scores: dict[str, list[tuple[Float64, float]]]) -> list[Compared]:
    """Stillwatch, then each baseline. `stream` are the `seeds` added up; `scores` are by baseline, one entry a seed."""
    allowed, extracting = stream.evaluate().false_alerts, stream.extracting
    rows = [
        _compared(
            stream,
            "Stillwatch",
            "calls and windows",
            stream.detections,
            None,
            rank(stream.account_scores, extracting),
            None,
            None,
        )
    ]
    counts = stream.counts_alone()
    for baseline in BASELINES:
        if baseline.name not in scores:
            continue
        scored = [
            Scored(one.hours if baseline.window_s == HOUR_S else one.days, values)
            for one, (values, _) in zip(seeds, scores[baseline.name], strict=True)
        ]
        threshold = at_equal_false_alerts(counts, scored, allowed)
        rows.append(
            _compared(
                stream,
                baseline.name,
                baseline.sees,
                detections_at(threshold, scored),
                threshold,
                rank(account_peaks(scored), extracting),
                best_f1(counts, scored),
                sum(seconds for _, seconds in scores[baseline.name]),
            )
        )
    return rows


def _compared(
    stream: Stream,
    name: str,
    sees: str,
    detections: list[Detection],
    threshold: float | None,
    ranking: Ranking | None,
    best: Best | None,
    seconds: float | None,
) -> Compared:
    evaluation = stream.evaluate(detections)
    groups = {"alone": together(stream, ALONE, detections), "pools": together(stream, POOLS, detections)}
    groups |= {one.kind: one for one in evaluation.kinds}
    return Compared(
        name=name,
        sees=sees,
        threshold=threshold,
        recall={kind: one.recall for kind, one in groups.items() if one is not None},
        precision=evaluation.precision,
        false_alerts=evaluation.false_alerts,
        false_alerts_per_1000_account_days=evaluation.false_alerts_per_1000_account_days,
        leaked={kind: one.leaked_median for kind, one in groups.items() if one is not None},
        ranking=ranking,
        best=best,
        seconds=seconds,
    )
