"""When calls are made: rate curves over the window, and renewal processes that follow them.

A rate curve has the expected calls of each slot of ten minutes. Arrivals are those of a renewal process of rate one with the
wanted coefficient of variation, carried over by the curve's integral (time rescaling; Brown et al. 2002), so burstiness and
rhythm are independent of each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from replay.scenarios.fitted import traffic

SLOT_MS = 600_000
SLOTS_A_DAY = 144
DAY_MS = 86_400_000

Curve = NDArray[np.float64]
Times = NDArray[np.int64]
Random = np.random.Generator


def hours_of_day(start_ms: int, days: int, zone_hours: float) -> Curve:
    """Local hour, with fraction, of each slot."""
    slots = np.arange(days * SLOTS_A_DAY)
    hours: Curve = ((start_ms / 3_600_000.0) + slots / 6.0 + zone_hours) % 24.0
    return hours


def weekdays(start_ms: int, days: int, zone_hours: float) -> NDArray[np.int64]:
    """Local day of the week of each slot, Monday being 0."""
    slots = np.arange(days * SLOTS_A_DAY)
    day = (start_ms / 3_600_000.0 + slots / 6.0 + zone_hours) // 24.0
    # 1970-01-01 was a Thursday.
    return ((day + 3) % 7).astype(np.int64)


def flat(days: int) -> Curve:
    """The same rate all the time."""
    return np.ones(days * SLOTS_A_DAY)


def working_day(start_ms: int, days: int, zone_hours: float, weekend: float) -> Curve:
    """High from nine to seven with a dip at noon, little at night; `weekend` is the rate of weekends over weekdays."""
    hour = hours_of_day(start_ms, days, zone_hours)
    curve = 0.03 + np.exp(-(((hour - 11.0) / 2.4) ** 2)) + 0.9 * np.exp(-(((hour - 16.0) / 2.6) ** 2))
    curve += 0.25 * np.exp(-(((hour - 21.0) / 1.8) ** 2))
    return _with_weekends(curve, start_ms, days, zone_hours, weekend)


def day_and_week(start_ms: int, days: int, zone_hours: float, weekend: float, random: Random) -> Curve:
    """The day of a real API client, smoothed a little so that no hour is quite without calls, with weekends."""
    clients = traffic().clients_with_days
    profile = np.array(clients[int(random.integers(0, len(clients)))].profile)
    profile = 0.5 * profile + 0.2 * (np.roll(profile, 1) + np.roll(profile, -1)) + 0.1
    hour = hours_of_day(start_ms, days, zone_hours)
    curve = np.interp(hour, np.arange(25), np.append(profile, profile[0]))
    return _with_weekends(curve, start_ms, days, zone_hours, weekend)


def _with_weekends(curve: Curve, start_ms: int, days: int, zone_hours: float, weekend: float) -> Curve:
    out: Curve = np.where(weekdays(start_ms, days, zone_hours) >= 5, curve * weekend, curve)
    return out


def sessions(curve: Curve, random: Random, per_day: float) -> Curve:
    """Concentrate a curve on sessions of half an hour to three hours that begin where the curve is high."""
    days = curve.size / SLOTS_A_DAY
    count = max(1, int(random.poisson(per_day * days)))
    begins = random.choice(curve.size, size=count, p=curve / curve.sum())
    lengths = random.integers(3, 18, size=count)
    weights = random.gamma(1.5, 1.0, size=count)
    out = np.zeros(curve.size)
    for begin, length, weight in zip(begins.tolist(), lengths.tolist(), weights.tolist(), strict=True):
        out[begin : begin + length] += weight
    return out


def scaled(curve: Curve, calls_a_day: float) -> Curve:
    """The curve with `calls_a_day` on average over the window."""
    total = curve.sum()
    return curve * (calls_a_day * curve.size / SLOTS_A_DAY / total) if total > 0 else curve


def between(curve: Curve, begin_slot: int, end_slot: int) -> Curve:
    """The curve, nothing outside the slots from `begin_slot` to `end_slot`."""
    out = np.zeros(curve.size)
    out[begin_slot:end_slot] = curve[begin_slot:end_slot]
    return out


def arrivals(curve: Curve, variation: float, start_ms: int, random: Random) -> Times:
    """Times of calls, ascending epoch milliseconds, from a renewal process with gamma gaps that follows `curve`."""
    integral = np.concatenate([[0.0], np.cumsum(curve)])
    total = float(integral[-1])
    if total <= 0.0:
        return np.empty(0, np.int64)
    shape = 1.0 / (variation * variation)
    places: list[NDArray[np.float64]] = []
    at = -float(random.random()) * min(1.0, total)
    while at < total:
        gaps = random.gamma(shape, 1.0 / shape, size=int(total - at + 4.0 * np.sqrt(total) + 16))
        steps = at + np.cumsum(gaps)
        places.append(steps)
        at = float(steps[-1])
    operational = np.concatenate(places)
    operational = operational[(operational >= 0.0) & (operational < total)]
    # Searching to the right lands in a slot with a rate above zero, never in one without.
    index = np.searchsorted(integral, operational, side="right") - 1
    slot = index + (operational - integral[index]) / curve[index]
    return np.sort((start_ms + slot * SLOT_MS).astype(np.int64))


def clockwork(start_ms: int, days: int, every_minutes: int, calls: int, random: Random) -> Times:
    """Times of a job that runs `every_minutes` at a fixed minute and makes about `calls` calls in a row each time."""
    first = int(random.integers(0, every_minutes)) * 60_000
    runs = np.arange(start_ms + first, start_ms + days * DAY_MS, every_minutes * 60_000)
    counts = np.maximum(1, random.poisson(calls, size=runs.size))
    begin = np.repeat(runs + random.integers(0, 3_000, size=runs.size), counts)
    within = np.concatenate([np.cumsum(random.gamma(4.0, 400.0, size=count)) for count in counts.tolist()])
    times = (begin + within).astype(np.int64)
    return np.sort(times[times < start_ms + days * DAY_MS])
