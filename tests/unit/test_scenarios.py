from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from pipeline.event import ApiCall, EventLimits, decode, encode
from pipeline.event.api_call import SCHEMA_VERSION
from pipeline.store.records import Label
from replay.errors import ReplayError
from replay.scenarios import DECEMBER_2024, SCENARIOS, Simulation, generate
from replay.scenarios.rhythm import DAY_MS, SLOTS_A_DAY, arrivals, flat, working_day
from replay.scenarios.write import write_events, write_labels
from replay.truth import labels_of_file

DAYS = 21


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return generate("late-2024", accounts=150, days=DAYS, seed=3)


@pytest.fixture(scope="module")
def calls(simulation: Simulation) -> list[ApiCall]:
    return list(simulation.calls())


def digest(folder: Path, name: str, seed: int) -> str:
    made = generate("late-2024", accounts=25, days=3, seed=seed)
    write_events(made.calls(), str(folder / name))
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz", "events.jsonl.zst"])
def test_one_seed_gives_one_file(name: str, tmp_path: Path) -> None:
    first = digest(tmp_path, name, 1)
    assert digest(tmp_path, name, 1) == first
    assert digest(tmp_path, name, 2) != first


def test_more_accounts_do_not_change_the_others() -> None:
    few, many = (generate("late-2024", accounts=count, days=4, seed=9) for count in (40, 60))
    ids_of_many = {call.event_id for call in many.calls()}
    honest = {stream.identity.account_id for stream in few.streams[:20]}
    kept = [call.event_id for call in few.calls() if call.account_id in honest]
    assert kept
    assert ids_of_many.issuperset(kept)


def test_every_event_is_valid_unique_and_in_order(simulation: Simulation, calls: list[ApiCall]) -> None:
    assert len(calls) == simulation.events > 10_000
    assert len({call.event_id for call in calls}) == len(calls)
    times = [call.ts for call in calls]
    assert times == sorted(times)
    assert times[0] >= DECEMBER_2024
    assert times[-1] < DECEMBER_2024 + (DAYS + 1) * DAY_MS
    limits = EventLimits()
    for call in calls[::7]:
        assert call.schema_version == SCHEMA_VERSION
        assert decode(encode(call), received_at=times[-1], limits=limits) == call


def by_kind(labels: list[Label]) -> dict[str, list[Label]]:
    kinds: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        kinds[label.kind].append(label)
    return kinds


def test_labels_are_of_every_kind_and_their_accounts_call_then(simulation: Simulation, calls: list[ApiCall]) -> None:
    kinds = by_kind(simulation.labels)
    assert set(kinds) == {"heavy", "ramp", "pool", "stolen_key"}
    assert len({label.campaign_id for label in kinds["pool"]}) == 1
    times: dict[str, set[int]] = defaultdict(set)
    for call in calls:
        times[call.account_id].add(call.ts)
    for label in simulation.labels:
        assert label.start in times[label.account_id]
        assert label.end in times[label.account_id]
    assert len({label.account_id for label in simulation.labels}) < 0.12 * len(times)


@pytest.mark.parametrize("accounts", [20, 300, 2000])
def test_few_accounts_extract_at_any_size(accounts: int) -> None:
    made = generate("late-2024", accounts=accounts, days=1, seed=1, rate_scale=0.01)
    assert len(made.streams) >= accounts * 0.9
    kinds = Counter(
        label.kind for label in generate("late-2024", accounts=accounts, days=12, seed=1, rate_scale=0.3).labels
    )
    assert set(kinds) == {"heavy", "ramp", "pool", "stolen_key"}
    assert kinds["pool"] >= 3
    if accounts == 2000:
        assert kinds.total() < 0.03 * accounts


def test_members_of_a_pool_stay_inconspicuous_and_are_linked(simulation: Simulation, calls: list[ApiCall]) -> None:
    members = {label.account_id for label in simulation.labels if label.kind == "pool"}
    theirs = [call for call in calls if call.account_id in members]
    daily = Counter((call.account_id, call.ts // DAY_MS) for call in theirs)
    assert max(daily.values()) <= 50
    assert 13 <= np.median(list(daily.values())) <= 50
    assert len({call.payment_id for call in theirs}) < len(members)
    assert len({call.client_ip for call in theirs}) < 10
    systems = Counter(call.system_prompt_hash for call in theirs)
    shared, count = systems.most_common(1)[0]
    assert count > 0.85 * len(theirs)
    assert all(call.system_prompt_hash != shared for call in calls if call.account_id not in members)


def test_variations_of_a_template_differ_in_few_bits(simulation: Simulation, calls: list[ApiCall]) -> None:
    member = next(label.account_id for label in simulation.labels if label.kind == "heavy")
    theirs = [int(call.prompt_simhash or "0", 16) for call in calls if call.account_id == member][-200:]
    nearest = [min((a ^ b).bit_count() for b in theirs if b is not a) for a in theirs[:50]]
    assert np.median(nearest) <= 6


def test_a_stolen_key_is_used_from_elsewhere_while_the_owner_goes_on(
    calls: list[ApiCall], simulation: Simulation
) -> None:
    for label in simulation.labels:
        if label.kind != "stolen_key":
            continue
        theirs = [call for call in calls if call.account_id == label.account_id]
        before = [call for call in theirs if call.ts < label.start]
        since = [call for call in theirs if label.start <= call.ts <= label.end]
        assert before
        for name in ("client_ip", "asn", "country", "user_agent"):
            known = {getattr(call, name) for call in before}
            assert {getattr(call, name) for call in since} - known, name
        assert {call.api_key_id for call in since} & {call.api_key_id for call in theirs}


def test_event_ids_do_not_tell_who_extracts(calls: list[ApiCall], simulation: Simulation) -> None:
    labelled = {label.account_id for label in simulation.labels}
    prefixes = {True: Counter[str](), False: Counter[str]()}
    for call in calls:
        prefixes[call.account_id in labelled][call.event_id[:5]] += 1
    assert set(prefixes[True]) <= set(prefixes[False])


def test_accounts_have_rhythms(calls: list[ApiCall]) -> None:
    hours = Counter(call.ts // 3_600_000 % 24 for call in calls)
    assert max(hours.values()) > 1.5 * min(hours.values())
    per_account = sorted(Counter(call.account_id for call in calls).values())
    # Heavy-tailed: the busiest tenth makes more than a third of all calls.
    assert sum(per_account[-len(per_account) // 10 :]) > len(calls) / 3


@pytest.mark.parametrize("variation", [0.4, 1.0, 2.5])
def test_arrivals_follow_the_curve_with_the_wanted_burstiness(variation: float) -> None:
    random = np.random.Generator(np.random.PCG64(4))
    times = arrivals(flat(60) * 2.0, variation, DECEMBER_2024, random)
    assert times.size == pytest.approx(60 * SLOTS_A_DAY * 2, rel=0.1)
    gaps = np.diff(times)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.15)
    curve = working_day(DECEMBER_2024, 60, 0.0, 0.2) * 3.0
    shaped = arrivals(curve, 1.0, DECEMBER_2024, random)
    found = np.bincount((shaped - DECEMBER_2024) // 3_600_000 % 24, minlength=24)
    expected = curve.reshape(60, 24, 6).sum(axis=(0, 2))
    assert np.corrcoef(found, expected)[0, 1] > 0.98


def test_nothing_comes_of_no_rate() -> None:
    random = np.random.Generator(np.random.PCG64(4))
    assert arrivals(flat(2) * 0.0, 1.0, DECEMBER_2024, random).size == 0


def test_labels_are_written_as_they_are_read(simulation: Simulation, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    write_labels(simulation.labels, path)
    assert sorted(labels_of_file(path), key=repr) == sorted(simulation.labels, key=repr)


@pytest.mark.parametrize(
    ("name", "accounts", "days", "seed"), [("none", 50, 3, 1), ("late-2024", 5, 3, 1), ("late-2024", 50, 0, 1)]
)
def test_arguments_that_make_no_sense(name: str, accounts: int, days: int, seed: int) -> None:
    with pytest.raises(ReplayError):
        generate(name, accounts=accounts, days=days, seed=seed)
    assert "late-2024" in SCENARIOS
