"""The window at a glance: all traffic, and a lane for each account with what was true, what was said, and when."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from replay.report.accounts import Account
from replay.report.data import Series, Span, Traffic
from replay.report.downsample import fewer, windows_filled
from replay.report.markup import element, percent
from replay.report.plot import plot, span, steps
from replay.report.scale import Axis, day_text, even_axis, short, time_axis
from replay.truth import HONEST_KINDS

_HEIGHT = 130
#: Pieces at most that a lane's activity is told in.
_PIECES = 120
_SHADES = 4
LANE_HEIGHT = 26


def window_axis(window: Span) -> Axis:
    """The axis of time of every chart of a run."""
    return time_axis(window.from_ms, window.to_ms)


def traffic_plot(traffic: Traffic, window: Span) -> Markup:
    """Output tokens of all accounts, and within them those of accounts with an alert."""
    x, step = window_axis(window), window.step_ms
    y = even_axis(float(traffic.output_tokens.max(initial=0.0)))
    width = step / (x.high - x.low)
    shapes = []
    for values, css in ((traffic.output_tokens, "all reads"), (traffic.alerted_tokens, "alerted")):
        start, height = fewer(traffic.start, values)
        shapes.append(
            steps((start - x.low) / (x.high - x.low), height / y.high, width, height=_HEIGHT, css=f"area-fill {css}")
        )
    total, alerted = float(traffic.output_tokens.sum()), float(traffic.alerted_tokens.sum())
    label = (
        f"Output tokens of all accounts from {day_text(x.low)} to {day_text(x.high)}: {short(total)} in all, "
        f"{short(alerted)} of them by accounts with an alert"
    )
    return plot(x, y, height=_HEIGHT, label=label, stretched=shapes, readout="output tokens, all accounts")


def lane(account: Account, series: Series | None, window: Span) -> Markup:
    """An account's lane: its activity as shades, labels above, alerts below with a mark where each was detected."""
    x = window_axis(window)
    parts = [element("line", x1="0", x2="100%", y1="25.5", y2="25.5", class_="grid")]
    if series is not None:
        parts += _activity(series, x, window.step_ms)
    for one in account.labels:
        if one.end >= x.low and one.start <= x.high:
            honest = one.kind in HONEST_KINDS
            title = f"label {one.kind}: {day_text(one.start)} to {day_text(one.end)}"
            css = "truth honest" if honest else "truth"
            parts.append(span(x.place(one.start), x.place(one.end), top=4, height=6, css=css, title=title))
    for alert in account.alerts:
        if alert.detected_at > alert.ended_at:
            continue  # an incident of a campaign that it joined later
        css = "alert" if alert.entity_type == "account" else "alert campaign"
        title = (
            f"{alert.entity_type} incident, {alert.severity}: {day_text(alert.opened_at)} to "
            f"{day_text(alert.ended_at)}, detected {day_text(alert.detected_at)}"
        )
        start = x.place(alert.opened_at if alert.entity_type == "account" else alert.detected_at)
        parts.append(span(start, x.place(alert.ended_at), top=16, height=6, css=css, title=title))
        parts.append(
            element("circle", element("title", title), cx=percent(x.place(alert.detected_at)), cy=19, r=4, class_="dot")
        )
    return element("svg", *parts, class_="lane", height=LANE_HEIGHT, role="img", aria_label=_lane_label(account))


def lanes_axis(window: Span) -> Markup:
    """The axis below the lanes."""
    x = window_axis(window)
    texts = [
        element(
            "text",
            tick.text,
            x=percent(tick.at),
            y=14,
            text_anchor="start" if tick.at < 0.03 else "end" if tick.at > 0.97 else "middle",
            class_="below odd" if number % 2 else "below",
        )
        for number, tick in enumerate(x.ticks)
    ]
    return element("svg", *texts, class_="lane axis", height=20, aria_hidden="true")


def _activity(series: Series, x: Axis, step_ms: int) -> list[Markup]:
    # Shades by how many times of ten were drawn; neighbours of one shade are one rectangle.
    # Of whole windows each, or some pieces would have more of them than others.
    length = x.high - x.low
    piece = math.ceil(length / _PIECES / step_ms) * step_ms
    drawn = windows_filled(series.start, series.output_tokens, x.low, x.high, piece)
    most = float(np.log10(max(float(drawn.max(initial=0.0)), 10.0)))
    shades = np.where(drawn > 0, np.clip(np.ceil(np.log10(np.maximum(drawn, 1.0)) / most * _SHADES), 1, _SHADES), 0)
    edges = [0, *(np.flatnonzero(np.diff(shades)) + 1).tolist(), len(shades)]
    return [
        element(
            "rect",
            x=percent(start * piece / length),
            width=percent(min(end * piece / length, 1.0) - start * piece / length),
            y=11,
            height=4,
            class_=f"shade s{int(shades[start])}",
        )
        for start, end in pairwise(edges)
        if shades[start]
    ]


def _lane_label(account: Account) -> str:
    known = ", ".join(f"label {one.kind} from {day_text(one.start)} to {day_text(one.end)}" for one in account.labels)
    said = ", ".join(f"{one.entity_type} alert {day_text(one.detected_at)}" for one in account.alerts[:5])
    return f"{account.outcome}; {known or 'no label'}; {said or 'no alert'}"
