"""The tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.detection.nab.detection import SHIPPED_THRESHOLD
from bench.detection.nab.measure import STANDARD, Figures

_PROFILES = (STANDARD, "reward_low_FP_rate", "reward_low_FN_rate")
_OPTIMISED = "stillwatch, best"
_SHIPPED = f"stillwatch at {SHIPPED_THRESHOLD:g}"


def show(figures: Figures, published: dict[str, dict[str, float]], console: Console) -> None:
    """Print Stillwatch's scores among the published ones, then how steady they are."""
    rows = {name: tuple(scores[profile] for profile in _PROFILES) for name, scores in published.items()}
    rows[_OPTIMISED] = tuple(figures.profiles[profile].optimised for profile in _PROFILES)
    rows[_SHIPPED] = tuple(figures.profiles[profile].shipped for profile in _PROFILES)
    table = Table(title="Numenta Anomaly Benchmark, 0 to 100", title_justify="left")
    table.add_column("detector")
    for heading in ("standard", "low false positives", "low false negatives"):
        table.add_column(heading, justify="right")
    for name, scores in sorted(rows.items(), key=lambda item: -item[1][0]):
        style = "bold" if name in (_OPTIMISED, _SHIPPED) else None
        table.add_row(name, *(f"{score:.1f}" for score in scores), style=style)
    console.print(table)
    halves = Table(title="Every second series, standard profile", title_justify="left")
    for heading in ("half", "series", "windows", f"at {SHIPPED_THRESHOLD:g}", "other half's best", "own best"):
        halves.add_column(heading, justify="right")
    for number, half in enumerate(figures.halves, 1):
        scores = (half.shipped, half.crossed, half.optimised)
        halves.add_row(str(number), str(half.series), str(half.windows), *(f"{score:.1f}" for score in scores))
    console.print(halves)
    for line in (
        f"{figures.series} series, {figures.rows:,} rows, {figures.microseconds_per_row:.2f} us a row",
        f"at {SHIPPED_THRESHOLD:g}, the shipped threshold: {figures.windows_found} of {figures.windows} windows found, "
        f"{figures.false_positives} detections outside",
        f"best threshold of the corpus: {figures.profiles[STANDARD].threshold:.3f}",
        "one constant halved or doubled, standard profile, best threshold:",
        "  " + ", ".join(f"{name}: {score:.1f}" for name, score in figures.varied.items()),
    ):
        console.print(line, highlight=False, soft_wrap=True)
