"""Ordinary accounts: each kind with a rhythm of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from replay.scenarios import rhythm
from replay.scenarios.calls import new_stream
from replay.scenarios.fitted import traffic
from replay.scenarios.identity import Identity, Random, hosted, in_company, new_identity
from replay.scenarios.rhythm import DAY_MS, SLOTS_A_DAY, Times
from replay.scenarios.simulation import Part, label_of
from replay.scenarios.workload import Workload, new_families, ordinary_workload

#: Calls a day of an account in the middle; the spread around it is the fitted one, damped, since its clients are large.
_MEDIAN_CALLS = 11.0
_SPREAD = 0.5
_MOST_CALLS_A_DAY = 6_000.0
_COMPANY_SHARE = 0.12
_COMPANY_SIZE = 5
#: Ordinary kinds that share something with extraction, and what that is called in labels.
_ALIKE = {"batch": "month_end", "newcomer": "newcomer"}


@dataclass(frozen=True, slots=True)
class Span:
    """The simulated time: `days` from `start_ms` (epoch milliseconds, UTC midnight)."""

    start_ms: int
    days: int
    rate_scale: float = 1.0

    @property
    def end_ms(self) -> int:
        """The end, not included."""
        return self.start_ms + self.days * DAY_MS


@dataclass(frozen=True, slots=True)
class Habit:
    """An ordinary account before its calls are drawn; extraction builds on some of them."""

    identity: Identity
    kind: str
    workload: Workload
    calls_a_day: float
    variation: float


def calls_a_day(random: Random, median: float = _MEDIAN_CALLS) -> float:
    """Heavy-tailed: most accounts call little, a few very much."""
    spread = _SPREAD * float(np.std([math.log(client.rate) for client in traffic().clients]))
    return float(min(median * np.exp(random.normal(0.0, spread)), _MOST_CALLS_A_DAY))


def variation(random: Random) -> float:
    """Coefficient of variation of an account's gaps: that of a real client, within what a renewal process can follow."""
    clients = traffic().clients
    return min(max(clients[int(random.integers(0, len(clients)))].cv, 0.3), 8.0)


def new_habit(kind: str, random: Random, span: Span, company: Identity | None) -> Habit:
    """An account of `kind`, with a place of its own or within `company`."""
    age_days = float(random.exponential(200.0)) + span.days * 0.1
    identity = new_identity(random, span.start_ms - int(age_days * DAY_MS))
    if company is not None and random.random() < 0.9:
        identity = in_company(identity, company)
    elif kind in ("cron", "chatbot", "batch"):
        identity = hosted(identity, random, int(random.integers(1, 4)))
    workload = ordinary_workload(random, {"interactive": "chat", "chatbot": "chat", "growth": "conversation"}.get(kind))
    if kind == "interactive" and random.random() < 0.3:
        workload = ordinary_workload(random, "code")
    if kind in ("cron", "batch"):
        workload = replace(workload, families=new_families(random, int(random.integers(1, 4))))
    elif kind in ("chatbot", "interactive"):
        workload = replace(workload, conversation=float(random.uniform(0.3, 0.8)))
    median = {"chatbot": 60.0, "idle": 0.6, "batch": 14.0, "growth": 16.0}.get(kind, _MEDIAN_CALLS)
    return Habit(identity, kind, workload, calls_a_day(random, median) * span.rate_scale, variation(random))


def times_of(habit: Habit, random: Random, span: Span) -> tuple[Identity, Times]:
    """When the account calls; newcomers get the day on which they signed up."""
    return _RHYTHMS[habit.kind](habit, random, span)


def population(seeds: Iterable[np.random.SeedSequence], span: Span) -> Iterator[Part]:
    """Ordinary accounts, one for each of `seeds`; labels are of honest kinds."""
    company: Identity | None = None
    for index, seed in enumerate(seeds):
        random = np.random.Generator(np.random.PCG64(seed))
        if index % _COMPANY_SIZE == 0:
            # Accounts come in fives; some fives are companies.
            company = new_identity(random, span.start_ms) if random.random() < _COMPANY_SHARE else None
        habit = new_habit(str(random.choice(KINDS, p=WEIGHTS)), random, span, company)
        identity, times = times_of(habit, random, span)
        alike = _ALIKE.get(habit.kind)
        if company is not None and identity.payment_id == company.payment_id:
            alike = "company"
        stream = new_stream(identity, times, habit.workload, random)
        yield Part([stream], [label_of(identity, times, alike)] if alike is not None and times.size else [])


def _interactive(habit: Habit, random: Random, span: Span) -> tuple[Identity, Times]:
    curve = rhythm.working_day(span.start_ms, span.days, habit.identity.zone_hours, float(random.uniform(0.1, 0.5)))
    curve = rhythm.sessions(curve, random, float(random.uniform(0.5, 4.0)))
    return habit.identity, rhythm.arrivals(
        rhythm.scaled(curve, habit.calls_a_day), habit.variation, span.start_ms, random
    )


def _cron(habit: Habit, random: Random, span: Span) -> tuple[Identity, Times]:
    every = int(random.choice([15, 30, 60, 180, 360, 1440]))
    calls = max(1, round(habit.calls_a_day * every / 1440.0))
    return habit.identity, rhythm.clockwork(span.start_ms, span.days, every, calls, random)


def _chatbot(habit: Habit, random: Random, span: Span) -> tuple[Identity, Times]:
    weekend = float(random.uniform(0.4, 1.1))
    curve = rhythm.day_and_week(span.start_ms, span.days, habit.identity.zone_hours, weekend, random)
    return habit.identity, rhythm.arrivals(
        rhythm.scaled(curve, habit.calls_a_day), habit.variation, span.start_ms, random
    )


def _batch(habit: Habit, random: Random, span: Span) -> tuple[Identity, Times]:
    curve = rhythm.scaled(rhythm.flat(span.days), habit.calls_a_day * 0.3)
    month_days = (np.datetime64(span.start_ms, "ms") + np.arange(span.days).astype("timedelta64[D]")).astype(
        "datetime64[D]"
    )
    left = (month_days.astype("datetime64[M]") + 1).astype("datetime64[D]") - month_days
    first = SLOTS_A_DAY * np.flatnonzero(left.astype(int) <= 3)
    hour = int(random.integers(0, 20)) * 6
    for slot in first.tolist():
        curve[slot + hour : slot + hour + int(random.integers(6, 24))] += habit.calls_a_day * float(
            random.uniform(0.3, 1.2)
        )
    return habit.identity, rhythm.arrivals(curve, habit.variation, span.start_ms, random)


def _newcomer(habit: Habit, random: Random, span: Span) -> tuple[Identity, Times]:
    # One in eight uses the API heavily, and honestly, from the first day.
    begin = int(random.integers(0, max(1, int(span.days * SLOTS_A_DAY * 0.9))))
    scale = float(random.uniform(8.0, 30.0)) if random.random() < 0.125 else 1.0
    curve = rhythm.working_day(span.start_ms, span.days, habit.identity.zone_hours, float(random.uniform(0.2, 0.9)))
    curve = rhythm.between(rhythm.scaled(curve, min(habit.calls_a_day * scale, 1500.0)), begin, curve.size)
    times = rhythm.arrivals(curve, habit.variation, span.start_ms, random)
    signup = int(times[0]) - int(random.integers(60_000, 3_600_000)) if times.size else span.start_ms
    return replace(habit.identity, signup_ts=signup), times


def _growth(habit: Habit, random: Random, span: Span) -> tuple[Identity, Times]:
    curve = rhythm.day_and_week(
        span.start_ms, span.days, habit.identity.zone_hours, float(random.uniform(0.3, 1.0)), random
    )
    curve = curve * np.exp(np.linspace(0.0, float(random.uniform(0.5, 1.6)), curve.size))
    return habit.identity, rhythm.arrivals(
        rhythm.scaled(curve, habit.calls_a_day), habit.variation, span.start_ms, random
    )


_RHYTHMS: dict[str, Callable[[Habit, Random, Span], tuple[Identity, Times]]] = {
    "interactive": _interactive,
    "cron": _cron,
    "chatbot": _chatbot,
    "batch": _batch,
    "newcomer": _newcomer,
    "growth": _growth,
    "idle": _interactive,
}
KINDS = ("interactive", "cron", "chatbot", "batch", "newcomer", "growth", "idle")
WEIGHTS = (0.42, 0.10, 0.10, 0.06, 0.12, 0.05, 0.15)
