"""Accounts that extract by what they ask for: logprob, reasoning, pivot, broad. Every figure is drawn anew for each seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from replay.scenarios import rhythm
from replay.scenarios.calls import Stream, new_stream
from replay.scenarios.extraction import ordinary_account, slot_within, teacher_workload
from replay.scenarios.identity import REASONING_MODELS, Identity, Random, hosted, new_identity, token
from replay.scenarios.market import NEW_MODEL, Market, gradually
from replay.scenarios.population import Span, new_habit, times_of
from replay.scenarios.rhythm import DAY_MS, SLOT_MS, SLOTS_A_DAY, Times
from replay.scenarios.simulation import Part, label_of, noted
from replay.scenarios.workload import Lognormal, new_families


def logprob(random: Random, span: Span, market: Market) -> Part:
    """Log-probabilities asked for in most calls: soft labels, of long answers or of a few tokens each."""
    identity, own, begin = _actor(random, span)
    times = _times(identity, begin, float(10 ** random.uniform(2.0, 3.7)), random, span)
    work = replace(
        teacher_workload(random),
        logprobs=float(random.uniform(0.7, 1.0)),
        families=new_families(random, int(10 ** random.uniform(0.0, 2.0))) if random.random() < 0.7 else (),
    )
    note = "long answers"
    if random.random() < 0.5:
        note = "a few tokens each"
        work = replace(
            work,
            output_tokens=Lognormal(float(random.uniform(0.0, 3.0)), float(random.uniform(0.1, 0.6))),
            max_tokens=int(random.choice([1, 5, 16, 64])),
        )
    return _part([*own, new_stream(identity, times, work, random)], identity, times, "logprob", note)


def reasoning(random: Random, span: Span, market: Market) -> Part:
    """Chains of thought of a reasoning model: problems with long reasoning, or answers handed in to be graded."""
    identity, own, begin = _actor(random, span)
    thinker = replace(identity, models=tuple(sorted(REASONING_MODELS))[:1])
    times = _times(identity, begin, float(10 ** random.uniform(1.7, 3.6)), random, span)
    work = replace(teacher_workload(random), reasoning=float(random.uniform(0.75, 0.95)), max_tokens=None)
    note = "problems"
    if random.random() < 0.35:
        # One rubric; the answer to be graded goes in, thoughts and a mark come out.
        note = "grading"
        work = replace(
            work,
            families=new_families(random, 1),
            family_bits=int(random.integers(3, 8)),
            input_tokens=Lognormal(float(random.uniform(6.5, 8.0)), float(random.uniform(0.2, 0.5))),
        )
    else:
        work = replace(work, output_tokens=Lognormal(float(random.uniform(7.0, 8.6)), float(random.uniform(0.3, 0.6))))
    return _part([*own, new_stream(thinker, times, work, random)], identity, times, "reasoning", note)


def pivot(random: Random, span: Span, market: Market) -> Part:
    """A busy account that moves about half of its traffic to a new model within a day of its release, to extract it."""
    habit = new_habit(str(random.choice(["chatbot", "growth"])), random, span, None)
    # Steady enough to have calls to move on that day.
    calls = float(10 ** random.uniform(1.5, 3.5)) * span.rate_scale
    habit = replace(habit, calls_a_day=calls, variation=min(habit.variation, 2.0))
    identity, times = times_of(habit, random, span)
    own = new_stream(identity, times, habit.workload, random)
    begin = market.released_ms + int(random.uniform(0.0, 12.0) * 3_600_000)
    gone = gradually(own, begin, float(random.uniform(0.5, 12.0)) * 3_600_000, float(random.uniform(0.4, 0.7)), random)
    # The new traffic may be more than what it replaces.
    again = times[gone][random.random(int(gone.sum())) < random.uniform(0.0, 1.0)]
    again = again + random.integers(1_000, SLOT_MS, size=again.size)
    new = np.sort(np.concatenate([times[gone], again[again < span.end_ms]]))
    follower = replace(identity, models=(NEW_MODEL,))
    rest = Stream(identity, times[~gone], own.columns.of(~gone), own.workload, own.choices[~gone])
    return _part([rest, new_stream(follower, new, teacher_workload(random), random)], identity, new, "pivot", "")


def broad(random: Random, span: Span, market: Market) -> Part:
    """Volume as of a heavy account, but over everything the model can do: every prompt differs, under many system prompts."""
    identity, own, begin = _actor(random, span)
    times = _times(identity, begin, float(10 ** random.uniform(2.4, 3.8)), random, span)
    roles = int(random.integers(2, 40))
    role = random.integers(0, roles, size=times.size)
    streams = own
    for index in range(roles):
        work = replace(teacher_workload(random), families=(), system_prompt=token(random, 32))
        streams = [*streams, new_stream(identity, times[role == index], work, random)]
    return _part(streams, identity, times, "broad", f"{roles} system prompts")


def varied(part: Part, random: Random) -> Part:
    """The same extraction, perhaps with its keys rotated or several answers asked for by each call."""
    *before, stream = part.streams
    labels = part.labels
    if random.random() < 0.25:
        count = int(random.integers(5, 60))
        keys = (*stream.identity.key_ids, *(f"key_{token(random, 10)}" for _ in range(count)))
        choices = stream.choices.copy()
        choices[:, 0] = np.arange(stream.times.size) * len(keys) // max(stream.times.size, 1)
        stream = replace(stream, identity=replace(stream.identity, key_ids=keys), choices=choices)
        labels = [noted(label, "keys rotated") for label in labels]
    if random.random() < 0.15:
        n = int(random.integers(2, 9))
        columns = replace(stream.columns, output_tokens=n * stream.columns.output_tokens)
        stream = replace(stream, workload=replace(stream.workload, n=n), columns=columns)
        labels = [noted(label, f"{n} answers a call") for label in labels]
    return Part([*before, stream], labels)


def _actor(random: Random, span: Span) -> tuple[Identity, list[Stream], int]:
    # Who, with what past, and from which slot on.
    begin = slot_within(random, span, 0.15, 0.75)
    own: list[Stream] = []
    if random.random() < 0.35:
        opened = span.start_ms + begin * SLOT_MS - int(random.uniform(0.02, 10.0) * DAY_MS)
        identity = new_identity(random, opened)
    else:
        habit, own = ordinary_account(random, span)
        identity = habit.identity
    if random.random() < 0.3:
        identity = hosted(identity, random, int(random.integers(1, 9)))
    return identity, own, begin


def _times(identity: Identity, begin: int, calls_a_day: float, random: Random, span: Span) -> Times:
    # At working hours, or round the clock from evenly spaced to bursty; for a day to most of the window.
    hours = rhythm.flat(span.days)
    if random.random() < 0.4:
        weekend = float(random.uniform(0.2, 1.0))
        hours = 0.1 + rhythm.working_day(span.start_ms, span.days, identity.zone_hours, weekend)
    end = begin + max(12, int(random.uniform(1.0, max(2.0, 0.6 * span.days)) * SLOTS_A_DAY))
    curve = rhythm.between(hours / hours.mean() * calls_a_day * span.rate_scale / SLOTS_A_DAY, begin, end)
    return rhythm.arrivals(curve, float(10 ** random.uniform(-1.3, 0.3)), span.start_ms, random)


def _part(streams: list[Stream], identity: Identity, times: Times, kind: str, note: str) -> Part:
    return Part(streams, [label_of(identity, times, kind, note=note)] if times.size else [])
