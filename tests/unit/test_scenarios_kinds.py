"""Each kind of extraction beyond late-2024's, and pools: the property that defines it holds whatever the seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.event import ApiCall
from replay.scenarios import DECEMBER_2024, Mix, Simulation, generate
from replay.scenarios.elicitation import varied
from replay.scenarios.identity import REASONING_MODELS, new_identity
from replay.scenarios.market import NEW_MODEL, Market, new_market
from replay.scenarios.mix import source
from replay.scenarios.mixed import ALONE
from replay.scenarios.pool import PoolPlan, _in_turn, _Seat, pool
from replay.scenarios.population import Span
from replay.scenarios.rhythm import DAY_MS, SLOT_MS, flat
from replay.scenarios.simulation import Part

SPAN = Span(DECEMBER_2024, 21)
SEEDS = range(4)


def market_of(seed: int) -> Market:
    return new_market(source(seed, 1), SPAN)


@cache
def made(kind: str, seed: int) -> Part:
    return ALONE[kind](source(seed, 2), SPAN, market_of(seed))


def calls_of(*parts: Part) -> list[ApiCall]:
    return list(Simulation([stream for part in parts for stream in part.streams], []).calls())


def bits_to_nearest(calls: list[ApiCall], sample: int = 60) -> float:
    """The median distance of a prompt to the nearest other one."""
    hashes = np.array([int(call.prompt_simhash or "0", 16) for call in calls[:400]], np.uint64)
    distances = np.bitwise_count(hashes[:sample, None] ^ hashes[None, :]).astype(int)
    distances[np.arange(min(sample, hashes.size)), np.arange(min(sample, hashes.size))] = 64
    return float(np.median(distances.min(axis=1)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ALONE)
def test_a_label_goes_from_the_first_call_of_the_extraction_to_the_last(kind: str, seed: int) -> None:
    part = made(kind, seed)
    (label,) = part.labels
    assert label.kind == kind
    calls = calls_of(part)
    assert {call.account_id for call in calls} == {label.account_id}
    times = {call.ts for call in calls}
    assert label.start in times
    assert label.end in times
    within = sum(label.start <= call.ts <= label.end for call in calls)
    assert within >= int(label.note.split()[0]) > 0
    assert all(call.signup_ts is not None and call.signup_ts <= call.ts < SPAN.end_ms for call in calls)


@pytest.mark.parametrize("seed", SEEDS)
def test_log_probabilities_are_asked_for_systematically(seed: int) -> None:
    part = made("logprob", seed)
    (label,) = part.labels
    asking = [call for call in calls_of(part) if call.logprobs]
    assert len(asking) > 0.6 * int(label.note.split()[0])
    assert all(label.start <= call.ts <= label.end for call in asking)


@pytest.mark.parametrize("seed", SEEDS)
def test_chains_of_thought_make_most_of_what_is_drawn(seed: int) -> None:
    part = made("reasoning", seed)
    (label,) = part.labels
    thinking = [call for call in calls_of(part) if label.start <= call.ts <= label.end and call.reasoning_tokens]
    assert len(thinking) > 0.8 * int(label.note.split()[0])
    assert {call.model for call in thinking} <= REASONING_MODELS
    shares = [call.reasoning_tokens / call.output_tokens for call in thinking if call.output_tokens]
    assert np.median(shares) > 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_half_of_the_traffic_pivots_to_the_new_model_within_a_day(seed: int) -> None:
    part = made("pivot", seed)
    (label,) = part.labels
    calls = calls_of(part)
    released = market_of(seed).released_ms
    assert all(call.ts >= released for call in calls if call.model == NEW_MODEL)
    assert label.start - released < 2 * DAY_MS
    later = [call.model == NEW_MODEL for call in calls if call.ts > released + DAY_MS]
    assert 0.3 < np.mean(later) < 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_broad_coverage_is_without_templates_and_heavy_extraction_is_not(seed: int) -> None:
    for kind, is_broad in (("broad", True), ("heavy", False)):
        part = made(kind, seed)
        (label,) = part.labels
        known = {call.system_prompt_hash for call in calls_of(part) if call.ts < label.start}
        theirs = [call for call in calls_of(part) if label.start <= call.ts <= label.end]
        theirs = [call for call in theirs if call.system_prompt_hash not in known]
        assert (bits_to_nearest(theirs) > 8) == is_broad
        assert (len({call.system_prompt_hash for call in theirs}) > 1) == is_broad


def test_keys_are_rotated_and_several_answers_asked_for_now_and_then() -> None:
    notes = []
    for seed in range(40):
        plain = made("broad", seed)
        part = varied(plain, source(seed, 3))
        (label,), stream = part.labels, part.streams[-1]
        notes.append(label.note)
        if "keys rotated" in label.note:
            assert len(stream.identity.key_ids) > 5
            assert (np.diff(stream.choices[:, 0]) >= 0).all()
        if "answers a call" in label.note:
            before = plain.streams[-1].columns.output_tokens
            assert (stream.columns.output_tokens == stream.workload.n * before).all()
            assert stream.workload.n > 1
        assert (part.labels[0].start, part.labels[0].end) == (plain.labels[0].start, plain.labels[0].end)
    assert 3 < sum("keys rotated" in note for note in notes) < 20
    assert 1 < sum("answers a call" in note for note in notes) < 15


def pooled(plan: PoolPlan, seed: int = 1) -> list[Part]:
    return list(pool(plan, source(seed, 4), SPAN))


@pytest.mark.parametrize("timing", ["turn", "waves", "own"])
@pytest.mark.parametrize("disguised", [False, True])
def test_members_of_any_pool_keep_within_their_rate(timing: str, disguised: bool) -> None:
    plan = PoolPlan(
        12, rate=(60.0, 60.0), most=90, most_unrelated=20, unrelated=(0.2, 0.3), timing=timing, disguised=disguised
    )
    for part in pooled(plan):
        (label,) = part.labels
        days = Counter(call.ts // DAY_MS for call in calls_of(part))
        assert max(days.values()) <= 90
        whole = [days[day] for day in range(label.start // DAY_MS + 1, label.end // DAY_MS)]
        assert not whole or 40 <= np.mean(whole) <= 90


def test_calls_are_dealt_out_in_turn() -> None:
    plan = PoolPlan(7, rate=(40.0, 40.0), most=10_000, unrelated=(0.0, 0.0), banned=0.0, timing="turn")
    calls = calls_of(*pooled(plan))
    members = [call.account_id for call in calls]
    assert len(set(members)) == 7
    rounds = [members[at : at + 7] for at in range(0, len(members) - 7, 7)]
    # Two calls of one millisecond may come in either order.
    assert np.mean([each == rounds[0] for each in rounds]) > 0.95
    counts = Counter(members).values()
    assert max(counts) - min(counts) <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 80)), min_size=1, max_size=8), st.integers(0, 100))
def test_the_turn_goes_on_when_members_come_and_go(spans: list[tuple[int, int]], seed: int) -> None:
    member = new_identity(source(seed, 5), SPAN.start_ms)
    seats = [_Seat(member, begin, begin + length) for begin, length in spans]
    dealt = _in_turn(seats, flat(SPAN.days), 200.0, source(seed, 6), SPAN)
    order = sorted((ts, index) for index, times in enumerate(dealt) for ts in times.tolist())
    assume(len({ts for ts, _ in order}) == len(order))
    last = -1
    for ts, index in order:
        slot = (ts - SPAN.start_ms) // SLOT_MS
        working = [at for at, seat in enumerate(seats) if seat.begin <= slot < seat.end]
        # The first that works after whoever was last, or the first of all.
        assert index == next((at for at in working if at > last), working[0])
        last = index


def test_in_waves_members_call_within_minutes_of_each_other() -> None:
    def spread(timing: str) -> float:
        plan = PoolPlan(20, rate=(5.0, 5.0), unrelated=(0.0, 0.0), banned=0.0, timing=timing)
        times = np.array([call.ts for call in calls_of(*pooled(plan))])
        return float(np.median(np.diff(times)))

    assert spread("waves") < 0.1 * spread("turn")


def test_a_template_pool_shares_its_templates_and_nothing_else() -> None:
    plan = PoolPlan(60, kind="template_pool", disguised=True, unrelated=(0.0, 0.0), rate=(20.0, 20.0))
    parts = pooled(plan)
    calls = calls_of(*parts)
    members = {call.account_id for call in calls}
    assert len({call.payment_id for call in calls}) == len(members) == len(parts) >= 60
    assert len({call.org_id for call in calls}) == len(members)
    users: dict[str | None, set[str]] = defaultdict(set)
    for call in calls:
        users[call.client_ip].add(call.account_id)
    assert max(len(accounts) for accounts in users.values()) <= 2
    assert len({call.asn for call in calls}) > 3
    assert bits_to_nearest(calls) <= 6
    assert len({label.campaign_id for part in parts for label in part.labels}) == 1
    opened = sorted({call.signup_ts or 0 for call in calls})
    assert opened[-1] - opened[0] > 20 * DAY_MS


def test_banned_members_are_replaced_and_a_size_can_count_them() -> None:
    plan = PoolPlan(40, banned=0.5, rate=(20.0, 20.0))
    counted = PoolPlan(40, banned=0.5, rate=(20.0, 20.0), counts_replaced=True)
    assert len(pooled(plan)) > 50
    assert len(pooled(counted)) == 40
    ends = [part.labels[0].end for part in pooled(counted)]
    assert sum(end < max(ends) - 3 * DAY_MS for end in ends) >= 5


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(0, 100))
def test_the_rate_of_a_pool_is_as_asked_for(seed: int, low: int, more: int) -> None:
    high = 2 * low + more
    mix = Mix(prevalence=0.3, kinds=("pool", "template_pool"), pool_rate=(low, high), benign=0.0)
    simulation = generate("mixed", accounts=30, days=8, seed=seed, mix=mix)
    members = {label.account_id: label for label in simulation.labels}
    days: dict[str, Counter[int]] = defaultdict(Counter)
    for call in simulation.calls():
        days[call.account_id][call.ts // DAY_MS] += 1
    rates = []
    for account, label in members.items():
        assert max(days[account].values()) <= high
        rates += [days[account][day] for day in range(label.start // DAY_MS + 1, label.end // DAY_MS)]
    assert not rates or np.mean(rates) > 0.8 * low
