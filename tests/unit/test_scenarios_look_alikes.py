"""Each honest look-alike: the property that makes it look like extraction holds whatever the seed, and it is labelled honest."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from pipeline.event import ApiCall
from pipeline.store.records import Label
from replay.scenarios import DECEMBER_2024, Simulation
from replay.scenarios.bystanders import ALONE, bystanders, company
from replay.scenarios.late_2024 import KINDS as LATE_2024_KINDS
from replay.scenarios.market import CHEAP_MODEL, NEW_MODEL, Market, new_market
from replay.scenarios.mix import source
from replay.scenarios.mixed import KINDS
from replay.scenarios.population import Span
from replay.scenarios.rhythm import DAY_MS
from replay.scenarios.simulation import Part
from replay.truth import HONEST_KINDS, LOOK_ALIKES

SPAN = Span(DECEMBER_2024, 28)
SEEDS = range(4)
HOUR_MS = 3_600_000


def market_of(seed: int) -> Market:
    return new_market(source(seed, 1), SPAN)


@cache
def made(kind: str, seed: int) -> tuple[list[ApiCall], Label]:
    part = ALONE[kind](source(seed, 2), SPAN, market_of(seed))
    (label,) = part.labels
    return list(Simulation(part.streams, []).calls()), label


def daily(calls: list[ApiCall], begin_ms: int = SPAN.start_ms, end_ms: int = SPAN.end_ms) -> np.ndarray:
    times = np.array([call.ts for call in calls])
    counts, _ = np.histogram(times, np.arange(begin_ms, end_ms + 1, DAY_MS))
    return counts


def test_no_kind_is_both_honest_and_an_extraction() -> None:
    assert not HONEST_KINDS & {*KINDS, *LATE_2024_KINDS}
    assert set(ALONE) | {"company", "newcomer"} == LOOK_ALIKES


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ALONE)
def test_a_look_alike_is_one_account_labelled_by_what_it_does(kind: str, seed: int) -> None:
    calls, label = made(kind, seed)
    assert label.kind == kind
    assert label.kind in HONEST_KINDS
    assert not label.campaign_id
    assert {call.account_id for call in calls} == {label.account_id}
    assert {label.start, label.end} <= {call.ts for call in calls}
    assert all(call.signup_ts is not None and call.signup_ts <= call.ts < SPAN.end_ms for call in calls)
    assert calls[0].ts >= SPAN.start_ms


@pytest.mark.parametrize("seed", SEEDS)
def test_a_launch_multiplies_the_calls(seed: int) -> None:
    calls, label = made("launch_day", seed)
    before = sum(call.ts < label.start for call in calls) / ((label.start - SPAN.start_ms) / DAY_MS)
    assert sum(label.start <= call.ts < label.start + DAY_MS for call in calls) > 2 * before


@pytest.mark.parametrize("seed", SEEDS)
def test_a_load_test_is_thousands_of_calls_of_one_prompt_within_hours(seed: int) -> None:
    calls, _ = made("load_test", seed)
    hours = Counter(call.ts // HOUR_MS for call in calls)
    busiest = [call for call in calls if call.ts // HOUR_MS == hours.most_common(1)[0][0]]
    assert len(busiest) > 100
    assert len(busiest) > 20 * np.median(list(hours.values())) or len(hours) < 40
    hashes = np.array([int(call.prompt_simhash or "0", 16) for call in busiest[:200]], np.uint64)
    # Most prompts of the hour are near to one of them; its usual calls are among them.
    assert np.median(np.bitwise_count(hashes[:, None] ^ hashes[None, :]), axis=1).min() <= 8
    assert any(call.status == 429 for call in busiest)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_heavy_newcomer_calls_much_soon_after_signing_up(seed: int) -> None:
    calls, _ = made("heavy_newcomer", seed)
    signup = calls[0].signup_ts or 0
    assert 0 < calls[0].ts - signup < 2 * DAY_MS
    days = (calls[-1].ts - calls[0].ts) / DAY_MS
    assert len(calls) / max(days, 1.0) > 100


@pytest.mark.parametrize("seed", SEEDS)
def test_a_feed_runs_day_and_night(seed: int) -> None:
    calls, _ = made("around_the_clock", seed)
    hours = np.bincount([call.ts // HOUR_MS % 24 for call in calls], minlength=24)
    assert hours.min() > 0.7 * hours.mean()
    assert len({call.ts // HOUR_MS for call in calls}) == SPAN.days * 24


@pytest.mark.parametrize("seed", SEEDS)
def test_honest_users_ask_for_log_probabilities_reasoning_and_several_answers(seed: int) -> None:
    calls, _ = made("honest_logprobs", seed)
    assert np.mean([call.logprobs is True for call in calls]) > 0.3
    assert max(call.output_tokens or 0 for call in calls) <= 65
    calls, _ = made("honest_reasoning", seed)
    assert all(call.reasoning_tokens is not None for call in calls)
    calls, _ = made("honest_sampling", seed)
    assert {call.n for call in calls} <= set(range(2, 9))


@pytest.mark.parametrize("seed", SEEDS)
def test_who_moves_calls_from_elsewhere_from_one_day_on(seed: int) -> None:
    calls, label = made("time_zone", seed)
    places = {
        moment: {call.country for call in calls if (call.ts >= label.start) == moment} for moment in (True, False)
    }
    assert all(len(found) == 1 for found in places.values())
    addresses = [{call.client_ip for call in calls if (call.ts >= label.start) == after} for after in (True, False)]
    assert not addresses[0] & addresses[1]
    assert len({call.api_key_id for call in calls}) <= 3


def test_holidays_are_quiet() -> None:
    during, outside = 0.0, 0.0
    for seed in range(30):
        calls, _ = made("holiday", seed)
        first, last = market_of(seed).holidays[calls[0].country or ""]
        counts, days = daily(calls), (np.array([first, last]) - SPAN.start_ms) // DAY_MS
        quiet = np.zeros(counts.size, bool)
        quiet[max(days[0], 0) : max(days[1], 0)] = True
        if quiet.any():
            during, outside = during + counts[quiet].mean(), outside + counts[~quiet].mean()
    assert during < 0.5 * outside


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("kind", "model"), [("price_change", CHEAP_MODEL), ("early_adopter", NEW_MODEL)])
def test_a_model_is_moved_to_when_its_time_has_come(kind: str, model: str, seed: int) -> None:
    calls, label = made(kind, seed)
    market = market_of(seed)
    moment = market.cheaper_ms if kind == "price_change" else market.released_ms
    assert all(call.ts >= moment for call in calls if call.model == model)
    assert label.start >= moment
    later = [call.model == model for call in calls if call.ts > moment + 2 * DAY_MS]
    assert np.mean(later) > (0.55 if kind == "price_change" else 0.2)


def test_many_accounts_share_a_framework_s_template_and_nothing_else() -> None:
    market = market_of(3)
    parts = [ALONE["popular_template"](source(seed, 2), SPAN, market) for seed in range(24)]
    first = [next(Simulation(part.streams, []).calls()) for part in parts]
    prompts = Counter(call.system_prompt_hash for call in first)
    assert len(prompts) <= 3
    assert max(prompts.values()) >= 8
    assert len({call.payment_id for call in first}) == len({call.account_id for call in first}) == 24
    families = {template.system_prompt: template.families for template in market.templates}
    for call in first:
        known = families[call.system_prompt_hash or ""]
        assert min((int(call.prompt_simhash or "0", 16) ^ family).bit_count() for family in known) <= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_company_is_behind_few_addresses(seed: int) -> None:
    parts = list(company(30, source(seed, 3), SPAN))
    calls = [call for part in parts for call in Simulation(part.streams, []).calls()]
    assert len({call.account_id for call in calls}) > 20
    assert len({call.client_ip for call in calls}) == 1
    assert {label.kind for part in parts for label in part.labels} == {"company"}


def test_a_period_ends_within_hours() -> None:
    for seed in SEEDS:
        part: Part = ALONE["month_end"](source(seed, 2), Span(DECEMBER_2024, 31), market_of(seed))
        (label,) = part.labels
        calls = list(Simulation(part.streams, []).calls())
        assert label.start >= DECEMBER_2024 + 28 * DAY_MS
        before = sum(call.ts < label.start for call in calls) / 28
        assert sum(call.ts >= label.start for call in calls) / 3 > 2 * before


@pytest.mark.parametrize("count", [1, 7, 60])
def test_bystanders_are_as_many_as_asked_for(count: int) -> None:
    market = market_of(1)
    parts = list(bystanders(count, (1, 2, 3), SPAN, market))
    assert len(parts) == count
    kinds = Counter(label.kind for part in parts for label in part.labels)
    assert set(kinds) <= LOOK_ALIKES
    if count == 60:
        assert set(kinds) == LOOK_ALIKES - {"newcomer"}
