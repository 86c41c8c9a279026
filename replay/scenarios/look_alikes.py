"""Honest accounts whose volume or rhythm changes, or is unusual from the first day, as an extractor's would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from replay.scenarios import rhythm
from replay.scenarios.calls import Stream, new_stream
from replay.scenarios.extraction import slot_within
from replay.scenarios.identity import PLACES, Identity, Random, address, hosted, new_identity
from replay.scenarios.market import CHEAP_MODEL, NEW_MODEL, Market, gradually, moved
from replay.scenarios.population import Habit, Span, calls_a_day, new_habit, times_of
from replay.scenarios.rhythm import DAY_MS, SLOT_MS, SLOTS_A_DAY, Curve, Times
from replay.scenarios.simulation import Part, label_of
from replay.scenarios.workload import Lognormal, new_families, ordinary_workload

HOUR_MS = 3_600_000
_LONGEST_LAUNCH_A_DAY = 20_000.0


def launch_day(random: Random, span: Span, market: Market) -> Part:
    """A product is launched: 8 to 60 times the calls within hours, for a day or two, then more than before."""
    habit = _habit("chatbot", random, span, 20.0, 300.0)
    begin = slot_within(random, span, 0.2, 0.85)
    peak, rest = float(10 ** random.uniform(0.9, 1.78)), float(random.uniform(1.0, 4.0))
    days = (np.arange(span.days * SLOTS_A_DAY) - begin) / SLOTS_A_DAY
    fading = np.exp2(-np.maximum(days - random.uniform(0.3, 2.0), 0.0) / random.uniform(0.5, 4.0))
    curve = rhythm.scaled(_day(habit, random, span), habit.calls_a_day)
    curve = np.where(days >= 0.0, curve * (rest + (peak - rest) * fading), curve)
    curve = np.minimum(curve, _LONGEST_LAUNCH_A_DAY * span.rate_scale / SLOTS_A_DAY)
    times = rhythm.arrivals(curve, min(habit.variation, 2.0), span.start_ms, random)
    stream = new_stream(habit.identity, times, habit.workload, random)
    return _part(stream, "launch_day", times >= span.start_ms + begin * SLOT_MS)


def month_end(random: Random, span: Span, market: Market) -> Part:
    """A job over the last days of the month, or a period that ends within the window: 3 to 30 ordinary days' calls in hours."""
    habit = _habit("cron", random, span, 5.0, 120.0)
    dates = np.datetime64(span.start_ms, "ms").astype("datetime64[D]") + np.arange(span.days)
    left = (dates.astype("datetime64[M]") + 1).astype("datetime64[D]") - dates
    ends = np.flatnonzero(left.astype(int) <= 3)
    if not ends.size:
        ends = np.array([int(random.integers(span.days // 4, span.days))])
    curve = rhythm.scaled(rhythm.flat(span.days), habit.calls_a_day)
    busy = np.zeros(curve.size, np.bool_)
    hour = int(random.integers(0, 18)) * 6
    for day in ends.tolist():
        begin, slots = day * SLOTS_A_DAY + hour, int(random.integers(6, 36))
        busy[begin : begin + slots] = True
        curve[begin : begin + slots] += habit.calls_a_day * float(10 ** random.uniform(0.5, 1.5)) / slots
    times = rhythm.arrivals(curve, min(habit.variation, 2.0), span.start_ms, random)
    return _part(new_stream(habit.identity, times, habit.workload, random), "month_end", busy[_slots(times, span)])


def load_test(random: Random, span: Span, market: Market) -> Part:
    """One to three tests of an hour or so, of thousands of calls with one prompt and short answers, many of them throttled."""
    habit = _habit("chatbot", random, span, 10.0, 200.0)
    usual = _stream(habit, random, span)
    curve = np.zeros(span.days * SLOTS_A_DAY)
    for _ in range(int(random.integers(1, 4))):
        begin, slots = slot_within(random, span, 0.1, 0.95), int(random.integers(2, 36))
        curve[begin : begin + slots] = float(10 ** random.uniform(3.0, 4.1)) * span.rate_scale / slots
    times = rhythm.arrivals(curve, float(random.uniform(0.05, 1.0)), span.start_ms, random)
    work = replace(
        habit.workload,
        families=new_families(random, 1),
        conversation=0.0,
        repeated=float(random.uniform(0.3, 0.99)),
        max_tokens=int(random.choice([16, 64, 256])),
        throttled=float(random.uniform(0.02, 0.4)),
    )
    test = new_stream(habit.identity, times, work, random)
    return Part([usual, test], [label_of(habit.identity, times, "load_test")] if times.size else [])


def heavy_newcomer(random: Random, span: Span, market: Market) -> Part:
    """Signs up within the window and makes hundreds to thousands of calls a day from the first one on."""
    habit = _habit("chatbot", random, span, 1.0, 1.0)
    begin = slot_within(random, span, 0.02, 0.8)
    curve = rhythm.scaled(0.05 + _day(habit, random, span), float(10 ** random.uniform(2.5, 3.6)) * span.rate_scale)
    growing = np.minimum(1.0, (np.arange(curve.size) - begin + 1) / random.uniform(1.0, 2 * SLOTS_A_DAY))
    curve = rhythm.between(np.maximum(curve * growing, 0.0), begin, curve.size)
    times = rhythm.arrivals(curve, min(habit.variation, 2.0), span.start_ms, random)
    signup = int(times[0]) - int(random.integers(60_000, 2 * DAY_MS)) if times.size else span.start_ms
    stream = new_stream(replace(habit.identity, signup_ts=signup), times, habit.workload, random)
    return _part(stream, "heavy_newcomer")


def around_the_clock(random: Random, span: Span, market: Market) -> Part:
    """A monitor or a feed: every few minutes, day and night, with few templates."""
    identity = hosted(_identity(random, span), random, int(random.integers(1, 3)))
    every = max(1, round(int(random.integers(2, 16)) / span.rate_scale))
    times = rhythm.clockwork(span.start_ms, span.days, every, int(random.integers(1, 4)), random)
    work = replace(ordinary_workload(random), families=new_families(random, int(random.integers(1, 4))))
    return _part(new_stream(identity, times, work, random), "around_the_clock")


def honest_logprobs(random: Random, span: Span, market: Market) -> Part:
    """A classifier or a ranker that reads the log-probabilities of a label of a few tokens, over its own data."""
    habit = _habit(str(random.choice(["cron", "chatbot", "growth"])), random, span, 10.0, 2_000.0)
    work = replace(
        habit.workload,
        families=new_families(random, int(random.integers(1, 4))),
        output_tokens=Lognormal(float(random.uniform(0.0, 2.5)), 0.4),
        max_tokens=int(random.choice([1, 5, 16, 64])),
        logprobs=float(random.uniform(0.5, 1.0)),
        conversation=0.0,
    )
    stream = _stream(replace(habit, workload=work), random, span)
    return _part(stream, "honest_logprobs")


def honest_reasoning(random: Random, span: Span, market: Market) -> Part:
    """A product or a researcher that uses the reasoning model all along."""
    habit = _habit(str(random.choice(["interactive", "chatbot"])), random, span, 10.0, 800.0)
    work = replace(
        habit.workload,
        output_tokens=Lognormal(float(random.uniform(6.0, 8.2)), float(random.uniform(0.4, 0.9))),
        reasoning=float(random.uniform(0.5, 0.95)),
        max_tokens=None,
    )
    habit = replace(habit, workload=work, identity=replace(habit.identity, models=("gamma-r1",)))
    stream = _stream(habit, random, span)
    return _part(stream, "honest_reasoning")


def honest_sampling(random: Random, span: Span, market: Market) -> Part:
    """A product that shows several answers to choose from."""
    habit = _habit(str(random.choice(["interactive", "chatbot"])), random, span, 5.0, 500.0)
    habit = replace(habit, workload=replace(habit.workload, n=int(random.integers(2, 9))))
    stream = _stream(habit, random, span)
    return _part(stream, "honest_sampling")


def time_zone(random: Random, span: Span, market: Market) -> Part:
    """Moves, or hands its work to another office: from one day on, other hours and another place."""
    habit = _habit("interactive", random, span, 10.0, 200.0)
    begin = slot_within(random, span, 0.25, 0.8) // SLOTS_A_DAY * SLOTS_A_DAY
    elsewhere = [place for place in PLACES if abs(place[1] - habit.identity.zone_hours) >= 3.0]
    country, zone, asn, _ = elsewhere[int(random.integers(0, len(elsewhere)))]
    there = replace(
        habit.identity, addresses=(address(random), address(random)), asn=asn, country=country, zone_hours=zone
    )
    streams = []
    weekend = float(random.uniform(0.1, 0.5))
    for identity, first, last in ((habit.identity, 0, begin), (there, begin, span.days * SLOTS_A_DAY)):
        day = rhythm.working_day(span.start_ms, span.days, identity.zone_hours, weekend)
        curve = rhythm.between(rhythm.scaled(day, habit.calls_a_day), first, last)
        times = rhythm.arrivals(curve, habit.variation, span.start_ms, random)
        streams.append(new_stream(identity, times, habit.workload, random))
    after = streams[1].times
    return Part(streams, [label_of(there, after, "time_zone")] if after.size else [])


def holiday(random: Random, span: Span, market: Market) -> Part:
    """Little over its country's holidays, then two days of catching up."""
    habit = _habit("interactive", random, span, 10.0, 200.0)
    first, last = ((moment - span.start_ms) // SLOT_MS for moment in market.holidays[habit.identity.country])
    curve = rhythm.scaled(_day(habit, random, span), habit.calls_a_day)
    curve[max(first, 0) : max(last, 0)] *= float(random.uniform(0.0, 0.3))
    curve[max(last, 0) : max(last, 0) + 2 * SLOTS_A_DAY] *= float(random.uniform(1.3, 3.0))
    times = rhythm.arrivals(curve, habit.variation, span.start_ms, random)
    slots = _slots(times, span)
    within = (slots >= first) & (slots < last + 2 * SLOTS_A_DAY)
    return _part(new_stream(habit.identity, times, habit.workload, random), "holiday", within)


def price_change(random: Random, span: Span, market: Market) -> Part:
    """Moves nearly all traffic to a model whose price fell, within hours of the change."""
    begin = market.cheaper_ms + int(random.uniform(0.0, 8.0) * HOUR_MS)
    return _moving(random, span, CHEAP_MODEL, begin, float(random.uniform(0.7, 1.0)), "price_change")


def early_adopter(random: Random, span: Span, market: Market) -> Part:
    """Moves a third to all of its traffic to a new model within two days of its release."""
    begin = market.released_ms + int(random.uniform(0.0, 24.0) * HOUR_MS)
    return _moving(random, span, NEW_MODEL, begin, float(random.uniform(0.3, 1.0)), "early_adopter")


def popular_template(random: Random, span: Span, market: Market) -> Part:
    """Uses a framework as it comes: its program, its system prompt, variations of its template. So do many others."""
    habit = _habit(str(random.choice(["interactive", "cron", "chatbot"])), random, span, 3.0, 150.0)
    template = market.templates[int(random.integers(0, len(market.templates)))]
    work = replace(habit.workload, system_prompt=template.system_prompt, families=template.families)
    identity = replace(habit.identity, user_agents=(template.user_agent,))
    stream = _stream(replace(habit, identity=identity, workload=work), random, span)
    return _part(stream, "popular_template")


def _moving(random: Random, span: Span, model: str, begin_ms: int, share: float, kind: str) -> Part:
    habit = _habit(str(random.choice(["interactive", "chatbot", "growth", "cron"])), random, span, 10.0, 300.0)
    stream = _stream(habit, random, span)
    chosen = gradually(stream, begin_ms, float(random.uniform(0.1, 24.0)) * HOUR_MS, share, random)
    return _part(moved(stream, model, chosen), kind, chosen)


def _habit(kind: str, random: Random, span: Span, least: float, most: float) -> Habit:
    habit = new_habit(kind, random, span, None)
    # Look-alikes are of the busier accounts, since nobody would look at the others.
    usual = calls_a_day(random, 60.0)
    return replace(habit, calls_a_day=min(max(usual, least), most) * span.rate_scale)


def _identity(random: Random, span: Span) -> Identity:
    return new_identity(random, span.start_ms - int(random.exponential(200.0) * DAY_MS))


def _stream(habit: Habit, random: Random, span: Span) -> Stream:
    identity, times = times_of(habit, random, span)
    return new_stream(identity, times, habit.workload, random)


def _day(habit: Habit, random: Random, span: Span) -> Curve:
    weekend = float(random.uniform(0.3, 1.1))
    return rhythm.day_and_week(span.start_ms, span.days, habit.identity.zone_hours, weekend, random)


def _slots(times: Times, span: Span) -> NDArray[np.int64]:
    return (times - span.start_ms) // SLOT_MS


def _part(stream: Stream, kind: str, alike: NDArray[np.bool_] | None = None) -> Part:
    # The label covers the calls that are `alike`, or all of them.
    times = stream.times if alike is None else stream.times[alike]
    return Part([stream], [label_of(stream.identity, times, kind)] if times.size else [])
