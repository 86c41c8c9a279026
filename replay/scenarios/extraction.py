"""Accounts that extract: heavy, ramp, pool, stolen key. Every figure is drawn anew from a wide range for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.store.records import Label
from replay.scenarios import rhythm
from replay.scenarios.calls import Stream, new_stream
from replay.scenarios.identity import (
    HOSTING,
    MODELS,
    USER_AGENTS,
    Identity,
    Random,
    address,
    hosted,
    new_identity,
    pick,
    token,
)
from replay.scenarios.population import Habit, Span, new_habit, times_of
from replay.scenarios.rhythm import DAY_MS, SLOT_MS, SLOTS_A_DAY
from replay.scenarios.workload import Lognormal, Workload, new_families, ordinary_workload


@dataclass(frozen=True, slots=True)
class Extraction:
    """The streams of one extraction and what is true of its accounts."""

    streams: list[Stream]
    labels: list[Label]


def heavy(name: str, random: Random, span: Span) -> Extraction:
    """One account that, after an ordinary or a short past, draws very much for some days."""
    begin = _slot(random, span, 0.25, 0.75)
    days = float(random.uniform(2.0, max(3.0, 0.35 * span.days)))
    calls = float(10 ** random.uniform(2.9, 3.9)) * span.rate_scale
    if random.random() < 0.35:
        # A new account: signed up some hours to days before.
        identity = new_identity(random, span.start_ms + begin * SLOT_MS - int(random.uniform(0.1, 4.0) * DAY_MS))
        own: list[Stream] = []
    else:
        habit, own = _ordinary(f"{name}-past", random, span)
        identity = habit.identity
    if random.random() < 0.5:
        identity = hosted(identity, random, int(random.integers(1, 5)))
    hours = rhythm.flat(span.days)
    if random.random() < 0.5:
        hours = 0.15 + rhythm.working_day(span.start_ms, span.days, identity.zone_hours, 0.7)
    end = begin + max(1, int(days * SLOTS_A_DAY))
    curve = rhythm.between(hours / hours.mean() * calls / SLOTS_A_DAY, begin, end)
    times = rhythm.arrivals(curve, float(random.uniform(0.3, 1.2)), span.start_ms, random)
    work = _teacher_workload(random)
    return _extraction([*own, new_stream(identity, name, times, work, random)], identity, times, "heavy")


def ramp(name: str, random: Random, span: Span) -> Extraction:
    """An ordinary account whose volume grows by a tenth to a fifth every day, over weeks."""
    habit, own = _ordinary(f"{name}-past", random, span)
    begin = _slot(random, span, 0.15, 0.4)
    growth = float(random.uniform(0.10, 0.22))
    day = (np.arange(span.days * SLOTS_A_DAY) - begin) / SLOTS_A_DAY
    base = max(habit.calls_a_day, 12.0)
    volume = np.minimum(base * (np.exp(np.log1p(growth) * np.maximum(day, 0.0)) - 1.0), 4_000.0 * span.rate_scale)
    hours = 0.2 + rhythm.working_day(
        span.start_ms, span.days, habit.identity.zone_hours, float(random.uniform(0.5, 1.0))
    )
    curve = rhythm.between(hours / hours.mean() * volume / SLOTS_A_DAY, begin, hours.size)
    times = rhythm.arrivals(curve, float(random.uniform(0.5, 1.5)), span.start_ms, random)
    work = _teacher_workload(random)
    return _extraction([*own, new_stream(habit.identity, name, times, work, random)], habit.identity, times, "ramp")


def stolen_key(name: str, random: Random, span: Span) -> Extraction:
    """An established account whose key is used from elsewhere, for other models, while its owner goes on."""
    habit, own = _ordinary(f"{name}-past", random, span)
    begin = _slot(random, span, 0.3, 0.85)
    calls = float(10 ** random.uniform(2.5, 3.5)) * span.rate_scale
    asn, country = HOSTING[int(random.integers(0, len(HOSTING)))]
    thief = replace(
        habit.identity,
        key_ids=habit.identity.key_ids[:1],
        addresses=tuple(address(random) for _ in range(int(random.integers(1, 4)))),
        asn=asn,
        country=country,
        user_agents=pick(random, USER_AGENTS),
        models=pick(random, MODELS, 2),
    )
    end = begin + max(6, int(random.uniform(0.5, 5.0) * SLOTS_A_DAY))
    curve = rhythm.between(rhythm.flat(span.days) * calls / SLOTS_A_DAY, begin, end)
    times = rhythm.arrivals(curve, float(random.uniform(0.4, 2.0)), span.start_ms, random)
    work = _teacher_workload(random)
    return _extraction([*own, new_stream(thief, name, times, work, random)], habit.identity, times, "stolen_key")


def pool(name: str, size: int, random: Random, span: Span) -> Extraction:
    """Accounts that share the load so that none stands out: 13 to 50 calls a day each, dealt out in turn.

    They were opened in batches, a few to each means of payment, use the same templates and system prompt from few addresses of
    one provider, at the operator's hours, with some unrelated calls in between. A part is banned on the way and replaced.
    """
    campaign = f"pool-{token(random, 6)}"
    begin, end = _slot(random, span, 0.1, 0.3), _slot(random, span, 0.85, 1.0)
    asn, country = HOSTING[int(random.integers(0, len(HOSTING)))]
    places = tuple(address(random) for _ in range(int(random.integers(2, 7))))
    work = replace(_teacher_workload(random), system_prompt=token(random, 32))
    cover = ordinary_workload(random, "chat")
    members = [_member(random, span, begin, places, asn, country, payment) for payment in _payments(random, size)]
    banned = {index for index in range(size) if random.random() < 0.2}
    hours = 0.02 + _shift(random, span)
    each = float(random.uniform(15.0, 45.0)) * span.rate_scale
    streams: list[Stream] = []
    labels: list[Label] = []
    seats: list[tuple[Identity, int, int]] = []
    for index, member in enumerate(members):
        if index in banned and end - begin > 4 * SLOTS_A_DAY:
            ban = begin + int(random.uniform(0.3, 0.7) * (end - begin))
            successor = _member(random, span, ban, places, asn, country, member.payment_id)
            seats += [(member, begin, ban), (successor, ban + int(random.integers(6, 72)), end)]
        else:
            seats.append((member, begin, end))
    for index, (member, first, last) in enumerate(seats):
        share = each * float(random.uniform(0.85, 1.15))
        curve = rhythm.between(hours / hours.mean() * share / SLOTS_A_DAY, first, last)
        # Dealt out in turn, so a member's own gaps are more even than chance.
        times = _at_most(rhythm.arrivals(curve, 0.6, span.start_ms, random), 50, random)
        if not times.size:
            continue
        streams.append(new_stream(member, f"{name}.{index:x}", times, work, random))
        unrelated = rhythm.arrivals(curve * float(random.uniform(0.02, 0.12)), 1.0, span.start_ms, random)
        streams.append(new_stream(member, f"{name}.{index:x}-cover", unrelated, cover, random))
        labels.append(_label(member, times, "pool", campaign))
    return Extraction(streams, labels)


def _teacher_workload(random: Random) -> Workload:
    # Many variations of a few prompts, answers as long as they come.
    longest = int(random.choice([1024, 2048, 4096, 8192]))
    return Workload(
        input_tokens=Lognormal(float(random.uniform(4.5, 7.0)), float(random.uniform(0.2, 0.6))),
        output_tokens=Lognormal(float(random.uniform(6.2, 7.4)), float(random.uniform(0.2, 0.5))),
        families=new_families(random, int(random.integers(1, 6))),
        repeated=0.0,
        system_prompt=token(random, 32),
        temperature=float(random.choice([0.7, 1.0])),
        max_tokens=longest,
        stream=float(random.choice([0.0, 1.0])),
        throttled=float(random.uniform(0.0, 0.05)),
        errors=0.004,
    )


def _ordinary(name: str, random: Random, span: Span) -> tuple[Habit, list[Stream]]:
    kind = str(random.choice(["interactive", "chatbot", "cron", "growth"]))
    habit = new_habit(kind, random, span, None)
    habit = replace(habit, calls_a_day=min(max(habit.calls_a_day, 4.0), 120.0))
    identity, times = times_of(habit, random, span)
    return habit, [new_stream(identity, name, times, habit.workload, random)]


def _payments(random: Random, size: int) -> list[str]:
    payments: list[str] = []
    while len(payments) < size:
        payments += [f"pay_{token(random, 10)}"] * int(random.integers(2, 6))
    return payments[:size]


def _member(
    random: Random, span: Span, begin: int, places: tuple[str, ...], asn: int, country: str, payment: str
) -> Identity:
    # Opened in batches some days before, within minutes of each other.
    opened = span.start_ms + begin * SLOT_MS - int(random.integers(1, 4)) * DAY_MS + int(random.integers(0, 1_800_000))
    first = int(random.integers(0, len(places)))
    return replace(
        new_identity(random, opened),
        payment_id=payment,
        addresses=places[first:] + places[:first],
        asn=asn,
        country=country,
        user_agents=("OpenAI/Python 1.57.0",),
        models=("gamma-4",),
    )


def _shift(random: Random, span: Span) -> rhythm.Curve:
    zone = float(random.choice([-6.0, 0.0, 1.0, 8.0]))
    begin, length = float(random.uniform(6.0, 11.0)), float(random.uniform(8.0, 16.0))
    hour = rhythm.hours_of_day(span.start_ms, span.days, zone)
    return np.where((hour - begin) % 24.0 < length, 1.0, 0.0)


def _at_most(times: rhythm.Times, calls_a_day: int, random: Random) -> rhythm.Times:
    days = times // DAY_MS
    kept = [random.permutation(np.flatnonzero(days == day))[:calls_a_day] for day in np.unique(days).tolist()]
    return times[np.sort(np.concatenate(kept))] if kept else times


def _slot(random: Random, span: Span, earliest: float, latest: float) -> int:
    slots = span.days * SLOTS_A_DAY
    return min(int(random.uniform(earliest, latest) * slots), slots - 1)


def _extraction(streams: Sequence[Stream], identity: Identity, times: rhythm.Times, kind: str) -> Extraction:
    return Extraction(list(streams), [_label(identity, times, kind, "")] if times.size else [])


def _label(identity: Identity, times: rhythm.Times, kind: str, campaign: str) -> Label:
    return Label(
        account_id=identity.account_id,
        start=int(times[0]),
        end=int(times[-1]),
        kind=kind,
        campaign_id=campaign,
        source="late-2024",
        note=f"{times.size} calls",
    )
