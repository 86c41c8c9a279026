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

#: Calls a day that a member of a pool makes at most, unrelated ones among them.
_MOST_A_DAY, _MOST_COVER_A_DAY = 50, 4


@dataclass(frozen=True, slots=True)
class Extraction:
    """The streams of one extraction and what is true of its accounts."""

    streams: list[Stream]
    labels: list[Label]


def heavy(random: Random, span: Span) -> Extraction:
    """One account that, after an ordinary or a short past, draws very much for some days."""
    begin = _slot(random, span, 0.25, 0.75)
    days = float(random.uniform(2.0, max(3.0, 0.35 * span.days)))
    calls = float(10 ** random.uniform(2.9, 3.9)) * span.rate_scale
    if random.random() < 0.35:
        # A new account: signed up some hours to days before.
        identity = new_identity(random, span.start_ms + begin * SLOT_MS - int(random.uniform(0.1, 4.0) * DAY_MS))
        own: list[Stream] = []
    else:
        habit, own = _ordinary(random, span)
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
    return _extraction([*own, new_stream(identity, times, work, random)], identity, times, "heavy")


def ramp(random: Random, span: Span) -> Extraction:
    """An ordinary account whose volume grows by a tenth to a fifth every day, over weeks."""
    habit, own = _ordinary(random, span)
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
    return _extraction([*own, new_stream(habit.identity, times, work, random)], habit.identity, times, "ramp")


def stolen_key(random: Random, span: Span) -> Extraction:
    """An established account whose key is used from elsewhere, for other models, while its owner goes on."""
    habit, own = _ordinary(random, span)
    begin = _slot(random, span, 0.3, 0.85)
    calls = float(10 ** random.uniform(2.5, 3.5)) * span.rate_scale
    owner = habit.identity
    elsewhere = [place for place in HOSTING if place[0] != owner.asn and place[1] != owner.country]
    asn, country = elsewhere[int(random.integers(0, len(elsewhere)))]
    thief = replace(
        owner,
        key_ids=owner.key_ids[:1],
        addresses=tuple(address(random) for _ in range(int(random.integers(1, 4)))),
        asn=asn,
        country=country,
        user_agents=pick(random, _others(USER_AGENTS, owner.user_agents)),
        models=pick(random, _others(MODELS, owner.models), 2),
    )
    end = begin + max(6, int(random.uniform(0.5, 5.0) * SLOTS_A_DAY))
    curve = rhythm.between(rhythm.flat(span.days) * calls / SLOTS_A_DAY, begin, end)
    times = rhythm.arrivals(curve, float(random.uniform(0.4, 2.0)), span.start_ms, random)
    work = _teacher_workload(random)
    return _extraction([*own, new_stream(thief, times, work, random)], owner, times, "stolen_key")


def _others(choices: tuple[tuple[str, float], ...], known: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """The choices that are not known, or all when there is no other."""
    return tuple(choice for choice in choices if choice[0] not in known) or choices


def pool(size: int, random: Random, span: Span) -> Extraction:
    """Accounts that share the load so that none stands out: 13 to 50 calls a day each, dealt out in turn.

    They were opened in batches, a few to each means of payment, use the same templates and system prompt from few addresses of
    one provider, at the operator's hours, with some unrelated calls in between. A part is banned on the way and replaced.
    """
    campaign = f"pool-{token(random, 6)}"
    begin, end = _slot(random, span, 0.1, 0.3), _slot(random, span, 0.85, 1.0)
    asn, country = HOSTING[int(random.integers(0, len(HOSTING)))]
    sample = replace(
        new_identity(random, span.start_ms),
        addresses=tuple(address(random) for _ in range(int(random.integers(2, 7)))),
        asn=asn,
        country=country,
        user_agents=pick(random, USER_AGENTS, int(random.integers(1, 3))),
        models=pick(random, MODELS, int(random.integers(1, 3))),
    )
    work = replace(_teacher_workload(random), system_prompt=token(random, 32))
    cover = ordinary_workload(random, "chat")
    seats: list[_Seat] = []
    for payment in _payments(random, size):
        seats += _sittings(sample, payment, begin, end, random, span)
    dealt = _deal(seats, _shift(random, span), float(random.uniform(15.0, 45.0)) * span.rate_scale, random, span)
    streams: list[Stream] = []
    labels: list[Label] = []
    for seat, drawn in zip(seats, dealt, strict=True):
        times = _at_most(drawn, _MOST_A_DAY - _MOST_COVER_A_DAY, random)
        if not times.size:
            continue
        unrelated = _at_most(
            times[random.random(times.size) < random.uniform(0.02, 0.1)] + 90_000, _MOST_COVER_A_DAY, random
        )
        streams.append(new_stream(seat.member, times, work, random))
        streams.append(new_stream(seat.member, unrelated[unrelated < span.end_ms], cover, random))
        labels.append(_label(seat.member, times, "pool", campaign))
    return Extraction(streams, labels)


@dataclass(frozen=True, slots=True)
class _Seat:
    """A member and the slots between which it works."""

    member: Identity
    begin: int
    end: int


def _sittings(sample: Identity, payment: str, begin: int, end: int, random: Random, span: Span) -> list[_Seat]:
    # One place in the pool: its first member and those that replace it after a ban.
    seats = []
    while begin < end:
        ban = end
        if random.random() < 0.25 and end - begin > 4 * SLOTS_A_DAY:
            ban = begin + int(random.uniform(0.3, 0.7) * (end - begin))
        seats.append(_Seat(_member(sample, payment, begin, random, span), begin, ban))
        begin = ban + int(random.integers(6, 72)) if ban < end else end
    return seats


def _deal(seats: Sequence[_Seat], hours: rhythm.Curve, each: float, random: Random, span: Span) -> list[rhythm.Times]:
    """Calls of the whole pool, dealt out in turn to the members that work at the time."""
    working = np.zeros(hours.size)
    for seat in seats:
        working[seat.begin : seat.end] += 1.0
    curve = hours / hours.mean() * each / SLOTS_A_DAY * working
    hands: list[list[int]] = [[] for _ in seats]
    turn = 0
    for ts in rhythm.arrivals(curve, float(random.uniform(0.5, 1.5)), span.start_ms, random).tolist():
        slot = (ts - span.start_ms) // SLOT_MS
        for step in range(len(seats)):
            index = (turn + step) % len(seats)
            if seats[index].begin <= slot < seats[index].end:
                hands[index].append(ts)
                turn = index + 1
                break
    return [np.array(hand, np.int64) for hand in hands]


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


def _ordinary(random: Random, span: Span) -> tuple[Habit, list[Stream]]:
    kind = str(random.choice(["interactive", "chatbot", "cron", "growth"]))
    habit = new_habit(kind, random, span, None)
    habit = replace(habit, calls_a_day=min(max(habit.calls_a_day, 4.0), 120.0))
    identity, times = times_of(habit, random, span)
    return habit, [new_stream(identity, times, habit.workload, random)]


def _payments(random: Random, size: int) -> list[str]:
    payments: list[str] = []
    while len(payments) < size:
        payments += [f"pay_{token(random, 10)}"] * int(random.integers(2, 6))
    return payments[:size]


def _member(sample: Identity, payment: str, begin: int, random: Random, span: Span) -> Identity:
    # Opened in batches some days before, within half an hour of each other.
    opened = span.start_ms + begin * SLOT_MS - int(random.integers(1, 4)) * DAY_MS + int(random.integers(0, 1_800_000))
    first = int(random.integers(0, len(sample.addresses)))
    own = new_identity(random, opened)
    return replace(
        sample,
        account_id=own.account_id,
        org_id=own.org_id,
        project_id=own.project_id,
        key_ids=own.key_ids,
        payment_id=payment,
        signup_ts=opened,
        addresses=sample.addresses[first:] + sample.addresses[:first],
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
