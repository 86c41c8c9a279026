"""What is measured: normalised scores by profile, how steady they are, and the time of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.detection.nab.corpus import Series, load_profiles, load_series
from bench.detection.nab.detection import SHIPPED_THRESHOLD, VARIED, detect
from bench.detection.nab.scoring import Costs, Float64, Scored, best_threshold, normalise, prepare, score_at

#: The profile that published comparisons lead with.
STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class ProfileScore:
    """Normalised scores of a profile, 0 for nothing found and 100 for perfect."""

    shipped: float
    """At the shipped threshold."""
    optimised: float
    """At `threshold`, the best for the whole corpus, as the published scores are."""
    threshold: float


@dataclass(frozen=True, slots=True)
class HalfScore:
    """Normalised standard scores of every second series."""

    series: int
    windows: int
    shipped: float
    crossed: float
    """At the threshold that is best for the other half."""
    optimised: float
    """At the threshold that is best for the half itself."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the benchmark finds."""

    series: int
    rows: int
    windows: int
    profiles: dict[str, ProfileScore]
    halves: tuple[HalfScore, HalfScore]
    varied: dict[str, float]
    """Standard score at the best threshold with one constant of the detector halved or doubled."""
    windows_found: int
    """Windows with a detection at the shipped threshold."""
    false_positives: int
    """Rows outside of windows that are detections at the shipped threshold."""
    microseconds_per_row: float


def measure(folder: Path) -> Figures:
    """Run Stillwatch on the corpus in `folder` and score it."""
    corpus, profiles = load_series(folder), load_profiles(folder)
    scores, seconds = detect(corpus)
    windows = _windows(corpus)
    standard = _prepared(corpus, scores, profiles[STANDARD])
    at_shipped = [score_at(one, profiles[STANDARD], SHIPPED_THRESHOLD) for one in standard]
    return Figures(
        series=len(corpus),
        rows=sum(one.values.size for one in corpus),
        windows=windows,
        profiles={name: _profile(_prepared(corpus, scores, costs), costs, windows) for name, costs in profiles.items()},
        halves=_halves(corpus, standard, profiles[STANDARD]),
        varied=_varied(corpus, profiles[STANDARD], windows),
        windows_found=sum(_found(one) for one in standard),
        false_positives=sum(one.false_positives for one in at_shipped),
        microseconds_per_row=1e6 * seconds,
    )


def total(corpus: Sequence[Scored], costs: Costs, threshold: float) -> float:
    """The raw score of series together."""
    return sum(score_at(one, costs, threshold).score for one in corpus)


def _windows(corpus: Sequence[Series]) -> int:
    return sum(len(one.windows) for one in corpus)


def _prepared(corpus: Sequence[Series], scores: Sequence[Float64], costs: Costs) -> list[Scored]:
    return [prepare(anomaly, one.windows, costs) for one, anomaly in zip(corpus, scores, strict=True)]


def _profile(corpus: Sequence[Scored], costs: Costs, windows: int) -> ProfileScore:
    threshold, best = best_threshold(corpus, costs)
    shipped = total(corpus, costs, SHIPPED_THRESHOLD)
    return ProfileScore(normalise(shipped, windows, costs), normalise(best, windows, costs), threshold)


def _halves(corpus: Sequence[Series], scored: Sequence[Scored], costs: Costs) -> tuple[HalfScore, HalfScore]:
    # Sorted by name, neighbours are of one kind, so both halves have some of each.
    parts = [(corpus[number::2], scored[number::2]) for number in (0, 1)]
    best = [best_threshold(part, costs) for _, part in parts]

    def half(number: int) -> HalfScore:
        series, part = parts[number]
        windows = _windows(series)
        shipped, crossed = (total(part, costs, one) for one in (SHIPPED_THRESHOLD, best[1 - number][0]))
        shown = (normalise(raw, windows, costs) for raw in (shipped, crossed, best[number][1]))
        return HalfScore(len(series), windows, *shown)

    return half(0), half(1)


def _varied(corpus: Sequence[Series], costs: Costs, windows: int) -> dict[str, float]:
    found = {}
    for name, values in VARIED.items():
        for value in values:
            scores, _ = detect(corpus, **{name: value})
            found[f"{name} {value:g}"] = normalise(
                best_threshold(_prepared(corpus, scores, costs), costs)[1], windows, costs
            )
    return found


def _found(one: Scored) -> int:
    return len(set(one.window[(one.anomaly >= SHIPPED_THRESHOLD) & (one.window >= 0)].tolist()))
