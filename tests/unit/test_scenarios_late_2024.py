"""The scenario late-2024: one seed gives one file, every event is good, and the labels say what was done."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict

import msgspec
import pytest

from pipeline.event import ApiCall, EventLimits, decode, encode
from pipeline.store.records import Label
from replay.errors import ReplayError
from replay.scenarios import DECEMBER_2024, Simulation, generate
from replay.scenarios.rhythm import DAY_MS

ACCOUNTS, DAYS, SEED = 60, 21, 7
END = DECEMBER_2024 + DAYS * DAY_MS
KINDS = {"heavy", "ramp", "pool", "stolen_key"}


def make(seed: int = SEED, accounts: int = ACCOUNTS, days: int = DAYS) -> Simulation:
    return generate("late-2024", accounts=accounts, days=days, seed=seed)


def digest(simulation: Simulation) -> str:
    sums = hashlib.sha256()
    for call in simulation.calls():
        sums.update(encode(call) + b"\n")
    sums.update(msgspec.json.encode(simulation.labels))
    return sums.hexdigest()


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return make()


@pytest.fixture(scope="module")
def calls(simulation: Simulation) -> list[ApiCall]:
    return list(simulation.calls())


@pytest.fixture(scope="module")
def by_account(calls: list[ApiCall]) -> dict[str, list[ApiCall]]:
    found: dict[str, list[ApiCall]] = defaultdict(list)
    for call in calls:
        found[call.account_id].append(call)
    return found


def labels_of(simulation: Simulation, kind: str) -> list[Label]:
    return [label for label in simulation.labels if label.kind == kind]


def test_one_seed_gives_one_stream_and_another_seed_another():
    first, again, other = (digest(make(seed, accounts=20, days=5)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_simulation_can_be_read_twice(simulation, calls):
    assert simulation.events == len(calls)
    assert all(one == other for one, other in zip(calls, simulation.calls(), strict=True))


def test_every_event_decodes_to_itself(calls):
    for call in calls:
        assert decode(encode(call), received_at=END, limits=EventLimits()) == call


def test_events_are_in_order_within_the_window_and_unique(calls):
    assert all(one.ts <= other.ts for one, other in itertools.pairwise(calls))
    assert calls[0].ts >= DECEMBER_2024
    assert calls[-1].ts < END
    assert len({call.event_id for call in calls}) == len(calls)


def test_nobody_calls_before_signing_up(calls):
    assert all(call.signup_ts is not None and call.signup_ts <= call.ts for call in calls)


def test_outcomes_agree_with_each_other(calls):
    for call in calls:
        assert (call.status == 200) == (call.error_type is None) == (call.output_tokens != 0)
        assert call.ttft_ms is None or (call.stream and call.ttft_ms <= call.latency_ms)
        assert call.max_tokens is None or call.output_tokens <= call.max_tokens + 1
    assert {call.status for call in calls} == {200, 400, 429, 500}


def test_labels_lie_within_the_window_and_name_accounts_that_call_then(simulation, by_account):
    assert {label.kind for label in simulation.labels} == KINDS
    assert len({label.account_id for label in simulation.labels}) == len(simulation.labels)
    for label in simulation.labels:
        assert DECEMBER_2024 <= label.start <= label.end < END
        times = [call.ts for call in by_account[label.account_id]]
        assert label.start in times
        assert label.end in times


@pytest.mark.parametrize("seed", range(5))
def test_few_accounts_suffice_for_every_kind_and_a_pool_of_three(seed):
    kinds = Counter(label.kind for label in make(seed, accounts=20, days=14).labels)
    assert set(kinds) == KINDS
    assert kinds["pool"] >= 3


def test_the_share_that_extracts_shrinks_with_the_population():
    simulation = make(1, accounts=2000, days=3)
    assert 20 <= len(simulation.labels) < 0.03 * 2000


def test_calls_are_spread_over_accounts_with_a_heavy_tail(by_account):
    counts = sorted((len(found) for found in by_account.values()), reverse=True)
    assert sum(counts[: len(counts) // 10]) > 0.3 * sum(counts)
    assert counts[len(counts) // 2] < sum(counts) / len(counts)


@pytest.mark.parametrize("seed", range(4))
def test_a_member_of_the_pool_makes_13_to_50_calls_a_day(seed):
    simulation = make(seed)
    members = {label.account_id: label for label in labels_of(simulation, "pool")}
    assert len({label.campaign_id for label in members.values()}) == 1
    days: dict[str, Counter[int]] = {account: Counter() for account in members}
    for call in simulation.calls():
        if call.account_id in members:
            days[call.account_id][call.ts // DAY_MS] += 1
    for account, counts in days.items():
        assert max(counts.values()) <= 50
        # The first and the last day are cut short.
        first, last = members[account].start // DAY_MS, members[account].end // DAY_MS
        whole = [counts[day] for day in range(first + 1, last) if counts[day]]
        assert not whole or sum(whole) / len(whole) >= 13


def test_the_pool_shares_payment_place_and_system_prompt(simulation, by_account):
    members = [label.account_id for label in labels_of(simulation, "pool")]
    calls = [call for account in members for call in by_account[account]]
    assert len({call.payment_id for call in calls}) < len(members)
    assert len({call.asn for call in calls}) == 1
    assert len({call.client_ip for call in calls}) <= 6
    for account in members:
        prompts = Counter(call.system_prompt_hash for call in by_account[account])
        assert prompts.most_common(1)[0][0] == Counter(c.system_prompt_hash for c in calls).most_common(1)[0][0]


def test_honest_accounts_share_system_prompts_too(simulation, by_account):
    labelled = {label.account_id for label in simulation.labels}
    users: dict[str, set[str]] = defaultdict(set)
    for account, found in by_account.items():
        if account not in labelled and found[0].system_prompt_hash is not None:
            users[found[0].system_prompt_hash].add(account)
    assert max(len(accounts) for accounts in users.values()) >= 5


def test_an_owner_goes_on_while_a_stolen_key_is_used_from_elsewhere():
    begun = 0
    for seed in range(6):
        simulation = make(seed)
        (label,) = labels_of(simulation, "stolen_key")
        places_before, during = set(), []
        for call in simulation.calls():
            if call.account_id == label.account_id:
                if call.ts < label.start:
                    places_before.add(call.client_ip)
                elif call.ts <= label.end:
                    during.append(call.client_ip)
        if not places_before:
            continue
        assert any(place not in places_before for place in during)
        begun += any(place in places_before for place in during)
    assert begun >= 3


def test_a_ramp_grows():
    for seed in range(4):
        simulation = make(seed)
        (label,) = labels_of(simulation, "ramp")
        middle = (label.start + label.end) // 2
        halves = Counter(
            call.ts >= middle
            for call in simulation.calls()
            if call.account_id == label.account_id and label.start <= call.ts <= label.end
        )
        assert halves[True] > halves[False]


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "late-1999"},
        {"accounts": 2},
        {"days": 0},
        {"days": 5000},
        {"seed": -1},
        {"rate_scale": 0.0},
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_one_line(arguments):
    given = {"name": "late-2024", "accounts": 20, "days": 3, "seed": 1, **arguments}
    with pytest.raises(ReplayError) as refused:
        generate(**given)
    assert "\n" not in str(refused.value)
