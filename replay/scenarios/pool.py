"""Pools: accounts that share the load of an extraction so that none stands out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from replay.scenarios import rhythm
from replay.scenarios.calls import new_stream
from replay.scenarios.extraction import slot_within, teacher_workload
from replay.scenarios.identity import (
    HOSTING,
    MODELS,
    USER_AGENTS,
    Identity,
    Random,
    address,
    new_identity,
    pick,
    token,
)
from replay.scenarios.population import Span
from replay.scenarios.rhythm import DAY_MS, SLOT_MS, SLOTS_A_DAY, Times
from replay.scenarios.simulation import Part, label_of
from replay.scenarios.workload import Workload, ordinary_workload

#: Addresses of a pool that one member uses, at most.
_MOST_ADDRESSES = 16


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """How a pool works; the defaults are those of late-2024. Ranges are drawn from evenly, ends of integers not included."""

    size: int
    """Places, each of which a member holds until it is banned and another replaces it."""
    counts_replaced: bool = False
    """Whether `size` is the number of accounts instead, those that replace others among them."""
    kind: str = "pool"
    rate: tuple[float, float] = (15.0, 45.0)
    """Calls a day of a member that extract, on average; one value is drawn for the pool."""
    most: int = 50
    """Calls a day that a member makes at most, unrelated ones among them."""
    most_unrelated: int = 4
    unrelated: tuple[float, float] = (0.02, 0.1)
    """Unrelated calls per call that extracts; drawn for each member."""
    accounts_per_payment: tuple[int, int] = (2, 6)
    addresses: tuple[int, int] = (2, 7)
    banned: float = 0.25
    """Chance that a member is banned on the way, and replaced."""
    timing: str = "turn"
    """`turn`: calls are dealt out in turn; `waves`: members call at the same times; `own`: each at its own."""
    disguised: bool = False
    """Members have payments, places and programs of their own and were opened over weeks: only the templates are shared."""


@dataclass(frozen=True, slots=True)
class _Seat:
    """A member and the slots between which it works."""

    member: Identity
    begin: int
    end: int


def pool(plan: PoolPlan, random: Random, span: Span) -> Iterator[Part]:
    """A pool, seat by seat: members were opened in batches, a few to each means of payment.

    They use the same templates and system prompt from few addresses of one provider, at the operator's hours, with some unrelated
    calls in between. A part is banned on the way and replaced.
    """
    campaign = f"pool-{token(random, 6)}"
    begin, end = slot_within(random, span, 0.1, 0.3), slot_within(random, span, 0.85, 1.0)
    asn, country = HOSTING[int(random.integers(0, len(HOSTING)))]
    sample = replace(
        new_identity(random, span.start_ms),
        addresses=tuple(address(random) for _ in range(int(random.integers(*plan.addresses)))),
        asn=asn,
        country=country,
        user_agents=pick(random, USER_AGENTS, int(random.integers(1, 3))),
        models=pick(random, MODELS, int(random.integers(1, 3))),
    )
    work = _workload(plan, random)
    cover = ordinary_workload(random, "chat")
    seats: list[_Seat] = []
    for payment in _payments(plan, random):
        if plan.counts_replaced and len(seats) >= plan.size:
            break
        seats += _sittings(plan, sample, payment, begin, end, random, span)
    seats = seats[: plan.size] if plan.counts_replaced else seats
    hours = _shift(random, span)
    each = float(random.uniform(*plan.rate)) * span.rate_scale
    deal = {"turn": _in_turn, "waves": _in_waves, "own": _at_own_times}[plan.timing]
    for seat, drawn in zip(seats, deal(seats, hours, each, random, span), strict=True):
        times = _at_most(drawn, plan.most - plan.most_unrelated, random)
        if not times.size:
            continue
        unrelated = times[random.random(times.size) < random.uniform(*plan.unrelated)] + 90_000
        unrelated = _at_most(unrelated, plan.most_unrelated, random)
        yield Part(
            [
                new_stream(seat.member, times, work, random),
                new_stream(seat.member, unrelated[unrelated < span.end_ms], cover, random),
            ],
            [label_of(seat.member, times, plan.kind, campaign=campaign)],
        )


def _workload(plan: PoolPlan, random: Random) -> Workload:
    work = replace(teacher_workload(random), system_prompt=token(random, 32))
    if not plan.disguised:
        return work
    # Variations of one prompt or two; a system prompt of the pool's own would be another link.
    prompt = ordinary_workload(random).system_prompt
    return replace(work, families=work.families[:2], family_bits=int(random.integers(2, 6)), system_prompt=prompt)


def _sittings(
    plan: PoolPlan, sample: Identity, payment: str, begin: int, end: int, random: Random, span: Span
) -> list[_Seat]:
    # One place in the pool: its first member and those that replace it after a ban.
    seats = []
    while begin < end:
        ban = end
        if random.random() < plan.banned and end - begin > 4 * SLOTS_A_DAY:
            ban = begin + int(random.uniform(0.3, 0.7) * (end - begin))
        member = _disguised if plan.disguised else _member
        seats.append(_Seat(member(sample, payment, begin, random, span), begin, ban))
        begin = ban + int(random.integers(6, 72)) if ban < end else end
    return seats


def _in_turn(seats: Sequence[_Seat], hours: rhythm.Curve, each: float, random: Random, span: Span) -> list[Times]:
    # Calls of the whole pool, dealt out in turn to the members that work at the time.
    begins, ends = (np.array([getattr(seat, name) for seat in seats]) for name in ("begin", "end"))
    working = np.zeros(hours.size)
    for seat in seats:
        working[seat.begin : seat.end] += 1.0
    curve = hours / hours.mean() * each / SLOTS_A_DAY * working
    times = rhythm.arrivals(curve, float(random.uniform(0.5, 1.5)), span.start_ms, random)
    slots = (times - span.start_ms) // SLOT_MS
    owner = np.full(times.size, len(seats))
    turn = 0
    # Between two changes of membership the turn goes round the same members.
    for begin, end in pairwise(np.unique(np.concatenate([begins, ends])).tolist()):
        first, last = np.searchsorted(slots, [begin, end]).tolist()
        members = np.flatnonzero((begins <= begin) & (ends >= end))
        if first < last and members.size:
            places = np.searchsorted(members, turn) + np.arange(last - first)
            owner[first:last] = members[places % members.size]
            turn = int(owner[last - 1]) + 1
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(len(seats) + 1))
    return [times[order[first:last]] for first, last in pairwise(bounds.tolist())]


def _in_waves(seats: Sequence[_Seat], hours: rhythm.Curve, each: float, random: Random, span: Span) -> Iterator[Times]:
    # All members that work at the time call within seconds to minutes of each other.
    curve = hours / hours.mean() * each / SLOTS_A_DAY
    waves = rhythm.arrivals(curve, float(random.uniform(0.2, 1.0)), span.start_ms, random)
    within_ms = float(10 ** random.uniform(3.3, 5.2))
    for seat in seats:
        first, last = (span.start_ms + slot * SLOT_MS for slot in (seat.begin, seat.end))
        times = np.sort(waves + random.uniform(0.0, within_ms, size=waves.size).astype(np.int64))
        yield times[(times >= first) & (times < last)]


def _at_own_times(
    seats: Sequence[_Seat], hours: rhythm.Curve, each: float, random: Random, span: Span
) -> Iterator[Times]:
    # Every member has a day of its own.
    for seat in seats:
        day = 0.1 + rhythm.working_day(
            span.start_ms, span.days, seat.member.zone_hours, float(random.uniform(0.3, 1.0))
        )
        curve = rhythm.between(day / day.mean() * each / SLOTS_A_DAY, seat.begin, seat.end)
        yield rhythm.arrivals(curve, float(random.uniform(0.5, 1.5)), span.start_ms, random)


def _payments(plan: PoolPlan, random: Random) -> list[str]:
    payments: list[str] = []
    while len(payments) < plan.size:
        payments += [f"pay_{token(random, 10)}"] * int(random.integers(*plan.accounts_per_payment))
    return payments[: plan.size]


def _member(sample: Identity, payment: str, begin: int, random: Random, span: Span) -> Identity:
    # Opened in batches some days before, within half an hour of each other.
    opened = span.start_ms + begin * SLOT_MS - int(random.integers(1, 4)) * DAY_MS + int(random.integers(0, 1_800_000))
    count = len(sample.addresses)
    first = int(random.integers(0, count))
    own = new_identity(random, opened)
    return replace(
        sample,
        account_id=own.account_id,
        org_id=own.org_id,
        project_id=own.project_id,
        key_ids=own.key_ids,
        payment_id=payment,
        signup_ts=opened,
        addresses=tuple(sample.addresses[(first + step) % count] for step in range(min(count, _MOST_ADDRESSES))),
    )


def _disguised(sample: Identity, payment: str, begin: int, random: Random, span: Span) -> Identity:
    # A person's account by all that it shows; only the model is the pool's.
    opened = span.start_ms + begin * SLOT_MS - int(random.uniform(0.5, 60.0) * DAY_MS)
    return replace(new_identity(random, opened), models=sample.models)


def _shift(random: Random, span: Span) -> rhythm.Curve:
    zone = float(random.choice([-6.0, 0.0, 1.0, 8.0]))
    begin, length = float(random.uniform(6.0, 11.0)), float(random.uniform(8.0, 16.0))
    hour = rhythm.hours_of_day(span.start_ms, span.days, zone)
    return np.where((hour - begin) % 24.0 < length, 1.0, 0.0)


def _at_most(times: Times, calls_a_day: int, random: Random) -> Times:
    days = times // DAY_MS
    kept = [random.permutation(np.flatnonzero(days == day))[:calls_a_day] for day in np.unique(days).tolist()]
    return times[np.sort(np.concatenate(kept))] if kept else times
