"""From values to places on an axis, and the ticks that tell which values they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
#: Distances between ticks of time up to a fortnight; beyond, months.
_STEPS_MS = (
    _MINUTE,
    5 * _MINUTE,
    15 * _MINUTE,
    30 * _MINUTE,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    _DAY,
    2 * _DAY,
    4 * _DAY,
    7 * _DAY,
    14 * _DAY,
)
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, 0 to 1, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Places of values from `low` to `high`: even, or by the logarithm of 1 + value for `logarithmic`."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, 0 at the low end and 1 at the high one; values beyond stand at the end."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, at = math.log1p(low), math.log1p(high), math.log1p(at)
        return (at - low) / (high - low) if high > low else 0.0


def even_axis(highest: float, most: int = 4) -> Axis:
    """From 0 to a round number not below `highest`, with at most `most` + 1 ticks.

    >>> [tick.text for tick in even_axis(830).ticks]
    ['0', '250', '500', '750', '1 k']
    """
    highest = highest if math.isfinite(highest) and highest > 1e-9 else 1.0
    rough = highest / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    count = math.ceil(highest / step - 1e-9)
    top = step * count
    return Axis(0.0, top, tuple(Tick(i / count, short(step * i)) for i in range(count + 1)))


def logarithmic_axis(highest: float, most: int = 4) -> Axis:
    """From 0 to a power of ten not below `highest`, by the logarithm of 1 + value, so that 0 has a place."""
    highest = highest if math.isfinite(highest) and highest > 1 else 1.0
    decades = max(1, math.ceil(math.log10(highest) - 1e-9))
    top = 10.0**decades
    step = math.ceil(decades / most)
    marked = [0.0, *(10.0**power for power in range(decades % step or step, decades + 1, step))]
    scale = math.log1p(top)
    return Axis(0.0, top, tuple(Tick(math.log1p(value) / scale, short(value)) for value in marked), logarithmic=True)


def time_axis(from_ms: int, to_ms: int, most: int = 8) -> Axis:
    """A span of time with at most about `most` ticks at round times, UTC."""
    to_ms = max(to_ms, from_ms + 1)
    span = to_ms - from_ms
    step = next((step for step in _STEPS_MS if span / step <= most), None)
    if step is not None:
        moments: Sequence[int] = range(-(-from_ms // step) * step, to_ms + 1, step)
    else:
        moments = _month_starts(from_ms, to_ms, most)
    ticks = tuple(Tick((moment - from_ms) / span, _tick_text(moment, step)) for moment in moments)
    return Axis(float(from_ms), float(to_ms), ticks)


def short(value: float) -> str:
    """A number in few characters.

    >>> [short(value) for value in (0, 0.25, 12, 1500, 2_400_000)]
    ['0', '0.25', '12', '1.5 k', '2.4 M']
    """
    for size, unit in _UNITS:
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def day_text(moment_ms: float) -> str:
    """A time to the minute, UTC: 7 Dec 2024, 16:02."""
    at = datetime.fromtimestamp(moment_ms / 1000, UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M}"


def _tick_text(moment_ms: int, step: int | None) -> str:
    at = datetime.fromtimestamp(moment_ms / 1000, UTC)
    if step is None:
        return f"{_MONTHS[at.month - 1]} {at.year}"
    if step < _DAY and moment_ms % _DAY:
        return f"{at:%H:%M}"
    return f"{at.day} {_MONTHS[at.month - 1]}"


def _month_starts(from_ms: int, to_ms: int, most: int) -> list[int]:
    first, last = (datetime.fromtimestamp(at / 1000, UTC) for at in (from_ms, to_ms))
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    step = next((step for step in _STEPS_MONTHS if len(months) / step <= most), len(months))
    starts = [
        round(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
        for month in months
        if month % step == 0
    ]
    return [start for start in starts if from_ms <= start <= to_ms]
