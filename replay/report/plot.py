"""A plot that fits any width without script: lines are stretched, text and points are not.

Across, places are shares of the width; down, pixels. Lines stand in an inner picture of 1000 by the height, which is
stretched to the width there is with the strokes left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from replay.report.markup import element, percent
from replay.report.scale import Axis

Float64 = NDArray[np.float64]

WIDE = 1000
_ROOM_BELOW, _STUB = 22, 6
#: Labels nearer than this to an end of the axis grow inwards.
_NEAR = 0.03


def plot(
    x: Axis,
    y: Axis,
    *,
    height: int,
    label: str,
    stretched: Sequence[Markup] = (),
    marks: Sequence[Markup] = (),
    readout: str | None = None,
    told_below: bool = True,
) -> Markup:
    """The two axes with their grid, `stretched` shapes and `marks` in it; `label` says in words what is seen.

    `readout` names the values of the first line of class `reads`, which a pointer then tells. Without `told_below` the ticks
    across stay unnamed: those of a chart further down name them.
    """
    room = _ROOM_BELOW if told_below else _STUB
    levels = [(height - tick.at * height, tick.text) for tick in y.ticks]
    side = [element("text", text, x="100%", y=level, dy="0.32em", text_anchor="end") for level, text in levels]
    grid = [element("line", x1="0", x2="100%", y1=level, y2=level, class_="grid") for level, _ in levels]
    inner = element(
        "svg",
        *stretched,
        width="100%",
        height=height,
        viewBox=f"0 0 {WIDE} {height}",
        preserveAspectRatio="none",
        class_="stretched",
    )
    below = [
        element(
            "text",
            tick.text,
            x=percent(tick.at),
            y=height + 16,
            text_anchor="start" if tick.at < _NEAR else "end" if tick.at > 1 - _NEAR else "middle",
            class_="below odd" if number % 2 else "below",
        )
        for number, tick in enumerate(x.ticks if told_below else ())
    ]
    stubs = [
        element("line", x1=percent(tick.at), x2=percent(tick.at), y1=height, y2=height + 4, class_="stub")
        for tick in x.ticks
    ]
    data: dict[str, str | float | None] = {}
    if readout is not None:
        data = {
            "data_readout": readout,
            "data_x": f"{x.low:.0f},{x.high:.0f}",
            "data_y": f"{y.low:g},{y.high:g}",
            "data_log": "1" if y.logarithmic else None,
            "data_height": height,
        }
    area = element(
        "svg",
        *grid,
        inner,
        *stubs,
        *marks,
        *below,
        class_="area",
        height=height + room,
        role="img",
        aria_label=label,
        **data,
    )
    scale = element("svg", *side, class_="side", height=height + room, aria_hidden="true")
    return element("div", scale, area, class_="plot")


def line(x: Float64, y: Float64, *, height: int, css: str) -> Markup:
    """A line through points given as shares of both axes."""
    if not len(x):
        return Markup("")
    points = " ".join(f"{across},{down}" for across, down in zip(*_places(x, y, height), strict=True))
    return element("path", d="M" + points, class_=css)


def steps(x: Float64, y: Float64, width: float, *, height: int, css: str) -> Markup:
    """Columns of one width with their left edges at `x`, as one filled shape over the ground."""
    if not len(x):
        return Markup("")
    across, down = _places(x, y, height)
    ends = _text(np.minimum(np.append(x[1:], x[-1] + width), x + width) * WIDE)
    parts = [f"M{across[0]},{height}"]
    for index, (left, top, right) in enumerate(zip(across, down, ends, strict=True)):
        parts.append(f"L{left},{top}H{right}")
        if index + 1 == len(across) or right != across[index + 1]:
            parts.append(f"V{height}")
            if index + 1 < len(across):
                parts.append(f"H{across[index + 1]}")
    return element("path", d="".join(parts) + "Z", class_=css)


def ribbon(x: Float64, low: Float64, high: Float64, *, height: int, css: str) -> Markup:
    """The room between two lines."""
    across, upper = _places(x, high, height)
    _, lower = _places(x, low, height)
    there = " ".join(f"{a},{b}" for a, b in zip(across, upper, strict=True))
    back = " ".join(f"{a},{b}" for a, b in zip(reversed(across), reversed(lower), strict=True))
    return element("path", d=f"M{there} {back}Z", class_=css)


def span(start: float, end: float, *, top: float, height: float, css: str, title: str = "") -> Markup:
    """A bar from one share of the width to another, at least 2 pixels wide, and what it says when pointed at."""
    told = [element("title", title)] if title else []
    width = max(end - start, 0.0)
    return element("rect", *told, x=percent(start), width=percent(max(width, 0.003)), y=top, height=height, class_=css)


def _places(x: Float64, y: Float64, height: int) -> tuple[list[str], list[str]]:
    return _text(x * WIDE), _text(height - y * height)


def _text(values: Float64) -> list[str]:
    return [f"{value:.1f}".removesuffix(".0") for value in values.tolist()]
