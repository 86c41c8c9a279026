"""What is best: a figure of the evaluation to minimise or maximise, and bounds that others must keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from replay.errors import ReplayError
from replay.evaluation import Evaluation

#: Figures by name, and whether small is good.
FIGURES: dict[str, tuple[Callable[[Evaluation], float | None], bool]] = {
    "recall": (lambda one: one.kinds[-1].recall if one.kinds[-1].labels else None, False),
    "leaked": (lambda one: one.kinds[-1].leaked, True),
    "leaked_median": (lambda one: one.kinds[-1].leaked_median, True),
    "median_hours_to_detect": (lambda one: one.kinds[-1].median_hours_to_detect, True),
    "precision": (lambda one: one.precision, False),
    "false_alerts": (lambda one: float(one.false_alerts), True),
    "false_alerts_per_1000_account_days": (lambda one: one.false_alerts_per_1000_account_days, True),
    "alerts_per_day": (lambda one: one.alerts_per_day, True),
}
_BOUND = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=)\s*(-?[\d.]+(?:e-?\d+)?)\s*")


class Bound(msgspec.Struct, frozen=True):
    """A figure that must not go beyond a value, in any window."""

    figure: str
    at_most: bool
    value: float

    @property
    def name(self) -> str:
        """As it is written."""
        return f"{self.figure}{'<=' if self.at_most else '>='}{self.value:g}"

    def excess(self, evaluations: Sequence[Evaluation]) -> float:
        """How far the worst window lies beyond it; 0 or less where it is kept. A figure that is not there breaks nothing."""
        known = [value for one in evaluations if (value := FIGURES[self.figure][0](one)) is not None]
        return max((value - self.value if self.at_most else self.value - value for value in known), default=0.0)


class Objective(msgspec.Struct, frozen=True):
    """The mean of a figure over windows, and bounds."""

    figure: str
    minimise: bool
    bounds: tuple[Bound, ...] = ()

    def value(self, evaluations: Sequence[Evaluation]) -> float | None:
        """The mean over the windows in which the figure is there; None where it is in none."""
        known = [value for one in evaluations if (value := FIGURES[self.figure][0](one)) is not None]
        return sum(known) / len(known) if known else None

    @property
    def worst(self) -> float:
        """What stands for the figure where a trial has none: nothing detected has no time to detect."""
        return 1e9 if self.minimise else 0.0


def objective(minimise: str | None, maximise: str | None, subject_to: Sequence[str]) -> Objective:
    """Read the options. Raises `ReplayError`, one line."""
    if (minimise is None) == (maximise is None):
        raise ReplayError("give one of --minimise FIGURE and --maximise FIGURE")
    figure = minimise or maximise or ""
    _known(figure, "--minimise" if minimise else "--maximise")
    bounds = []
    for text in subject_to:
        found = _BOUND.fullmatch(text)
        if found is None:
            raise ReplayError(f"--subject-to {text!r}: write FIGURE<=NUMBER or FIGURE>=NUMBER")
        _known(found[1], "--subject-to")
        bounds.append(Bound(found[1], found[2] == "<=", float(found[3])))
    return Objective(figure, minimise is not None, tuple(bounds))


def _known(figure: str, option: str) -> None:
    if figure not in FIGURES:
        raise ReplayError(f"{option} {figure}: there is no such figure; there are {', '.join(FIGURES)}")
