"""The plots by which a run is judged: precision against recall, and calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from replay.curve import Curve
from replay.report.downsample import fewer
from replay.report.judgement import Calibration, TradeOff
from replay.report.markup import element, percent
from replay.report.plot import line, plot
from replay.report.scale import Axis, Tick

_HEIGHT = 220
_SHARES = Axis(0.0, 1.0, tuple(Tick(at, f"{at:.0%}") for at in (0, 0.25, 0.5, 0.75, 1)))
_LOWEST = -4.0
_RARE = Axis(
    _LOWEST,
    0.0,
    tuple(
        Tick((power - _LOWEST) / -_LOWEST, text)
        for power, text in ((-4, "0.01%"), (-3, "0.1%"), (-2, "1%"), (-1, "10%"), (0, "100%"))
    ),
)
#: Points of a curve that are marked one by one; more would be one blot.
_MOST_DOTS = 60


def trade_off_plot(by_incidents: Sequence[TradeOff], by_evidence: Curve | None) -> Markup:
    """Precision over recall, by the evidence of incidents, campaigns included, and by that of single accounts."""
    shapes, marks = [], []
    single = by_evidence.points if by_evidence is not None else ()
    for points, css in ((single, "curve second"), (by_incidents, "curve first")):
        if points:
            recall = np.array([0.0, *(one.recall for one in points)])
            precision = np.array([points[0].precision, *(one.precision for one in points)])
            shapes.append(line(*fewer(recall, precision), height=_HEIGHT, css=css))
    for alone in single[:_MOST_DOTS]:
        told = (
            f"from {alone.threshold:.2f} nats: {alone.false_accounts} false accounts, precision {alone.precision:.1%}, "
            f"recall {alone.recall:.1%}"
        )
        title, down = element("title", told), _HEIGHT - alone.precision * _HEIGHT
        marks.append(element("circle", title, cx=percent(alone.recall), cy=down, r=2.5, class_="dot second"))
    for one in by_incidents[-_MOST_DOTS:]:
        told = (
            f"from a score of {one.threshold:.5f}: {one.accounts} accounts, precision {one.precision:.1%}, "
            f"recall {one.recall:.1%}"
        )
        at, down = percent(one.recall), _HEIGHT - one.precision * _HEIGHT
        marks.append(element("circle", element("title", told), cx=at, cy=down, r=4, class_="dot first"))
    end = by_incidents[-1] if by_incidents else None
    label = "Precision against recall over accounts" + (
        f"; all alerts: precision {end.precision:.1%} at recall {end.recall:.1%}" if end else "; no alert"
    )
    return plot(_SHARES, _SHARES, height=_HEIGHT, label=label, stretched=shapes, marks=marks)


def calibration_plot(found: Sequence[Calibration]) -> Markup:
    """The share of scores above 1 - s, against s, both logarithmic; the diagonal is as it should be."""
    ideal = np.array([0.0, 1.0])
    shapes = [line(ideal, ideal, height=_HEIGHT, css="ideal")]
    marks, told = [], []
    for one, css in zip(found, ("first", "second"), strict=False):
        points = [
            (_rare(expected), _rare(observed), expected, observed)
            for expected, observed in zip(one.expected, one.observed, strict=True)
            if observed >= 10**_LOWEST
        ]
        x, y = (np.array([point[axis] for point in points]) for axis in (0, 1))
        shapes.append(line(x, y, height=_HEIGHT, css=f"curve {css}"))
        for across, up, expected, observed in points:
            title = element(
                "title", f"{one.of}: {observed:.3%} of scores above {1 - expected:g}, {expected:.3%} expected"
            )
            marks.append(
                element("circle", title, cx=percent(across), cy=_HEIGHT - up * _HEIGHT, r=3.5, class_=f"dot {css}")
            )
        told.append(f"{one.of}: {one.observed[5]:.2%} above 0.99")
    label = "Share of scores above each score, against what it should be: " + ("; ".join(told) or "no scores")
    return plot(_RARE, _RARE, height=_HEIGHT, label=label, stretched=shapes, marks=marks)


def _rare(share: float) -> float:
    return (max(math.log10(share), _LOWEST) - _LOWEST) / -_LOWEST
