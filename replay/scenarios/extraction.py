"""Accounts that extract alone: heavy, ramp, stolen key. Every figure is drawn anew from a wide range for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

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
from replay.scenarios.simulation import Part, label_of
from replay.scenarios.workload import Lognormal, Workload, new_families


def heavy(random: Random, span: Span) -> Part:
    """One account that, after an ordinary or a short past, draws very much for some days."""
    begin = slot_within(random, span, 0.25, 0.75)
    days = float(random.uniform(2.0, max(3.0, 0.35 * span.days)))
    calls = float(10 ** random.uniform(2.9, 3.9)) * span.rate_scale
    if random.random() < 0.35:
        # A new account: signed up some hours to days before.
        identity = new_identity(random, span.start_ms + begin * SLOT_MS - int(random.uniform(0.1, 4.0) * DAY_MS))
        own: list[Stream] = []
    else:
        habit, own = ordinary_account(random, span)
        identity = habit.identity
    if random.random() < 0.5:
        identity = hosted(identity, random, int(random.integers(1, 5)))
    hours = rhythm.flat(span.days)
    if random.random() < 0.5:
        hours = 0.15 + rhythm.working_day(span.start_ms, span.days, identity.zone_hours, 0.7)
    end = begin + max(1, int(days * SLOTS_A_DAY))
    curve = rhythm.between(hours / hours.mean() * calls / SLOTS_A_DAY, begin, end)
    times = rhythm.arrivals(curve, float(random.uniform(0.3, 1.2)), span.start_ms, random)
    work = teacher_workload(random)
    return _extraction([*own, new_stream(identity, times, work, random)], identity, times, "heavy")


def ramp(random: Random, span: Span) -> Part:
    """An ordinary account whose volume grows by a tenth to a fifth every day, over weeks."""
    habit, own = ordinary_account(random, span)
    begin = slot_within(random, span, 0.15, 0.4)
    growth = float(random.uniform(0.10, 0.22))
    day = (np.arange(span.days * SLOTS_A_DAY) - begin) / SLOTS_A_DAY
    base = max(habit.calls_a_day, 12.0)
    volume = np.minimum(base * (np.exp(np.log1p(growth) * np.maximum(day, 0.0)) - 1.0), 4_000.0 * span.rate_scale)
    hours = 0.2 + rhythm.working_day(
        span.start_ms, span.days, habit.identity.zone_hours, float(random.uniform(0.5, 1.0))
    )
    curve = rhythm.between(hours / hours.mean() * volume / SLOTS_A_DAY, begin, hours.size)
    times = rhythm.arrivals(curve, float(random.uniform(0.5, 1.5)), span.start_ms, random)
    work = teacher_workload(random)
    return _extraction([*own, new_stream(habit.identity, times, work, random)], habit.identity, times, "ramp")


def stolen_key(random: Random, span: Span) -> Part:
    """An established account whose key is used from elsewhere, for other models, while its owner goes on."""
    habit, own = ordinary_account(random, span)
    begin = slot_within(random, span, 0.3, 0.85)
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
    work = teacher_workload(random)
    return _extraction([*own, new_stream(thief, times, work, random)], owner, times, "stolen_key")


def _others(choices: tuple[tuple[str, float], ...], known: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """The choices that are not known, or all when there is no other."""
    return tuple(choice for choice in choices if choice[0] not in known) or choices


def teacher_workload(random: Random) -> Workload:
    """Many variations of a few prompts, answers as long as they come."""
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


def ordinary_account(random: Random, span: Span) -> tuple[Habit, list[Stream]]:
    """An ordinary account that calls 4 to 120 times a day, and its calls."""
    kind = str(random.choice(["interactive", "chatbot", "cron", "growth"]))
    habit = new_habit(kind, random, span, None)
    habit = replace(habit, calls_a_day=min(max(habit.calls_a_day, 4.0), 120.0))
    identity, times = times_of(habit, random, span)
    return habit, [new_stream(identity, times, habit.workload, random)]


def slot_within(random: Random, span: Span, earliest: float, latest: float) -> int:
    """A slot between two shares of the window."""
    slots = span.days * SLOTS_A_DAY
    return min(int(random.uniform(earliest, latest) * slots), slots - 1)


def _extraction(streams: Sequence[Stream], identity: Identity, times: rhythm.Times, kind: str) -> Part:
    return Part(list(streams), [label_of(identity, times, kind)] if times.size else [])
