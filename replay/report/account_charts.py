"""An account's calls, output tokens and scores over the window, beside what was usual for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from replay.report.accounts import Account
from replay.report.band import Band, usual_band
from replay.report.data import Series, Span
from replay.report.downsample import fewer, windows_filled
from replay.report.markup import element, percent
from replay.report.plot import line, plot, ribbon, steps
from replay.report.scale import Axis, Tick, day_text, even_axis, logarithmic_axis, short
from replay.report.timeline import window_axis
from replay.truth import HONEST_KINDS

Float64 = NDArray[np.float64]

_HOUR_MS = 3_600_000
_TALL, _LOW = 110, 70
#: Scores by how rare they are: -log10(1 - score).
_RAREST = 5.0
_SCORE_AXIS = Axis(
    0.0,
    _RAREST,
    tuple(
        Tick(power / _RAREST, text) for power, text in enumerate(("0", "0.9", "0.99", "0.999", "0.9999")) if power != 2
    ),
)


def account_charts(
    account: Account, series: Series, evidence: tuple[Float64, Float64] | None, window: Span
) -> list[tuple[str, Markup]]:
    """Captions and charts; `evidence` has hours and what each has shown, in nats."""
    x, step = window_axis(window), float(window.step_ms)
    charts = []
    for name, values, height in (
        ("output tokens", series.output_tokens, _TALL),
        ("calls", series.calls, _LOW),
    ):
        filled = windows_filled(series.start, values, x.low, x.high, step)
        band = _band(account, series, filled, x, step)
        charts.append((_caption(name, band, step), _chart(name, filled, band, height, x, step, account)))
    if evidence is not None:
        charts.append(("Evidence of extraction by the hour, ln(1 + odds)", _evidence(*evidence, x, account)))
    charts.append((f"Score of each {_length(step)}", _scores(series, x, account)))
    return charts


def _evidence(start: Float64, evidence: Float64, x: Axis, account: Account) -> Markup:
    y = even_axis(float(evidence.max(initial=1.0)), most=3)
    length = x.high - x.low
    at, values = fewer((start - x.low) / length, evidence / y.high)
    shape = steps(at, values, _HOUR_MS / length, height=_LOW, css="area-fill evidence reads")
    label = f"evidence of extraction, at most {float(evidence.max(initial=0.0)):.1f} nats"
    return plot(
        x,
        y,
        height=_LOW,
        label=label,
        stretched=[shape],
        marks=_moments(account, x, _LOW),
        readout="nats of evidence",
        told_below=False,
    )


def _band(account: Account, series: Series, filled: Float64, x: Axis, step: float) -> Band | None:
    # From its first window to what is held against it; without either there is nothing to compare with.
    first = int((float(series.start.min(initial=x.high)) - x.low) // step)
    until = int((min(account.begins, *(one.opened_at for one in account.alerts), x.high) - x.low) // step)
    return usual_band(filled, first, min(until, filled.size), int(step))


def _chart(
    name: str, filled: Float64, band: Band | None, height: int, x: Axis, step: float, account: Account
) -> Markup:
    peak = float(filled.max(initial=1.0))
    y = logarithmic_axis(max(peak, float(band.high.max(initial=0.0)) if band else 0.0), most=3 if height > _LOW else 2)
    starts = np.arange(filled.size, dtype=np.float64) * (step / (x.high - x.low))
    shapes = []
    if band is not None:
        middle, low = fewer(starts, _log(band.low, y))
        at, high = fewer(starts, _log(band.high, y))
        if len(at) == len(middle):
            shapes.append(ribbon(at, np.interp(at, middle, low), high, height=height, css="band"))
    at, values = fewer(starts, _log(filled, y))
    shapes.append(steps(at, values, step / (x.high - x.low), height=height, css="area-fill series reads"))
    if band is not None:
        shapes.append(line(*fewer(starts, _log(band.high, y)), height=height, css="band-edge"))
    usual = f"; usually up to {short(float(np.median(band.high)))}" if band is not None else ""
    label = f"{name} per {_length(step)}, at most {short(peak)}{usual}"
    return plot(
        x,
        y,
        height=height,
        label=label,
        stretched=shapes,
        marks=_moments(account, x, height),
        readout=f"{name} per {_length(step)}",
        told_below=False,
    )


def _scores(series: Series, x: Axis, account: Account) -> Markup:
    rare = np.minimum(-np.log10(np.maximum(1.0 - series.score, 1e-9)), _RAREST) / _RAREST
    at, values = fewer((series.start - x.low) / (x.high - x.low), rare)
    dots = "".join(f"M{across * 1000:.1f},{_LOW - down * _LOW:.1f}h0" for across, down in zip(at, values, strict=True))
    shapes = [element("path", d=dots, class_="points")] if dots else []
    peak = float(series.score.max(initial=0.0))
    label = f"scores of the account's windows, at most {peak:.4f}"
    marks = _moments(account, x, _LOW)
    return plot(x, _SCORE_AXIS, height=_LOW, label=label, stretched=shapes, marks=marks)


def _moments(account: Account, x: Axis, height: int) -> list[Markup]:
    """What is known and what was said: a bar along the top for each label, a line where each alert came."""
    marks = []
    for one in account.labels:
        if one.kind not in HONEST_KINDS and one.end >= x.low and one.start <= x.high:
            start, end = x.place(one.start), x.place(one.end)
            width = percent(max(end - start, 0.002))
            title = element("title", f"label {one.kind}: {day_text(one.start)} to {day_text(one.end)}")
            marks.append(element("rect", x=percent(start), width=width, y=0, height=height, class_="within"))
            marks.append(element("rect", title, x=percent(start), width=width, y=-4, height=4, class_="truth"))
    for alert in account.alerts:
        at = percent(x.place(alert.detected_at))
        title = element("title", f"{alert.entity_type} alert, detected {day_text(alert.detected_at)}")
        marks.append(element("line", title, x1=at, x2=at, y1=0, y2=height, class_="detected"))
    return marks


def _caption(name: str, band: Band | None, step: float) -> str:
    told = f"{name[0].upper()}{name[1:]} per {_length(step)}, logarithmic"
    if band is None:
        return f"{told}; no band, for there is too little before"
    return f"{told}; band from the {band.days:.0f} days before"


def _length(step: float) -> str:
    return {60_000.0: "minute", 600_000.0: "ten minutes", 3_600_000.0: "hour"}.get(step, "day")


def _log(values: Float64, y: Axis) -> Float64:
    return np.asarray(np.log1p(np.clip(values, 0, y.high)) / np.log1p(y.high), np.float64)


def reasons_shown(reasons: Sequence[tuple[str, float, float, float]]) -> list[tuple[str, str, str, float]]:
    """Reasons for a table: feature in words, observed and expected for reading, share."""
    return [
        (feature.replace("_", " "), _reading(feature, observed), _reading(feature, expected), share)
        for feature, observed, expected, share in reasons[:6]
    ]


def _reading(feature: str, value: float) -> str:
    if feature.endswith(("_share", "_shift")):
        return f"{value:.0%}" if value >= 0.005 or value == 0 else "below 1%"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
