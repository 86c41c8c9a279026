"""The scenario mixed: shares and kinds as asked for, one seed one file, at any size, and nothing that tells the truth away."""

from __future__ import annotations

import csv
import hashlib
import itertools
import re
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event import ApiCall, EventLimits, decode, encode
from replay.command_line.simulate import simulate
from replay.errors import ReplayError
from replay.scenarios import DECEMBER_2024, SCENARIOS, Mix, Simulation, generate, parts
from replay.scenarios.late_2024 import KINDS as LATE_2024_KINDS
from replay.scenarios.market import CHEAP_MODEL, NEW_MODEL
from replay.scenarios.mix import pool_sizes, shares, source
from replay.scenarios.mixed import ALONE, KINDS, POOLS
from replay.scenarios.rhythm import DAY_MS
from replay.scenarios.spool import spooled
from replay.truth import HONEST_KINDS, LOOK_ALIKES

ACCOUNTS, DAYS = 240, 10


def make(seed: int = 5, accounts: int = ACCOUNTS, days: int = DAYS, **mix: object) -> Simulation:
    return generate("mixed", accounts=accounts, days=days, seed=seed, rate_scale=0.3, mix=Mix(**mix))


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return make(label_benign=True)


@pytest.fixture(scope="module")
def calls(simulation: Simulation) -> list[ApiCall]:
    return list(simulation.calls())


def digest(simulation: Simulation) -> str:
    return hashlib.sha256(b"\n".join(encode(call) for call in simulation.calls())).hexdigest()


def extracting(simulation: Simulation) -> set[str]:
    return {label.account_id for label in simulation.labels if label.kind not in HONEST_KINDS}


def test_one_seed_gives_one_stream_and_another_seed_another():
    first, again, other = (make(seed, accounts=40, days=3) for seed in (1, 1, 2))
    assert digest(first) == digest(again) != digest(other)
    assert first.labels == again.labels


def test_events_are_good_in_order_and_unique(simulation, calls):
    assert len(calls) == simulation.events
    assert all(one.ts <= other.ts for one, other in itertools.pairwise(calls))
    assert len({call.event_id for call in calls}) == len(calls)
    assert calls[0].ts >= DECEMBER_2024
    assert calls[-1].ts < DECEMBER_2024 + DAYS * DAY_MS
    for call in calls[::11]:
        assert decode(encode(call), received_at=calls[-1].ts, limits=EventLimits()) == call
        assert call.signup_ts is not None
        assert call.signup_ts <= call.ts


def test_every_kind_is_there_and_no_account_is_both_honest_and_not(simulation):
    kinds = {label.kind for label in simulation.labels}
    assert kinds == {*KINDS, *LOOK_ALIKES}
    honest = {label.account_id for label in simulation.labels if label.kind in HONEST_KINDS}
    assert not honest & extracting(simulation)


def test_labels_begin_and_end_with_calls(simulation, calls):
    times: dict[str, set[int]] = defaultdict(set)
    for call in calls:
        times[call.account_id].add(call.ts)
    for label in simulation.labels:
        assert {label.start, label.end} <= times[label.account_id]
        assert bool(label.campaign_id) == (label.kind in POOLS)
        assert label.source == "mixed"


def test_look_alikes_are_labelled_only_when_asked_for(simulation):
    plain = make()
    assert {label.kind for label in plain.labels} <= set(KINDS)
    assert digest(plain) == digest(simulation)
    assert [label for label in simulation.labels if label.kind in KINDS] == plain.labels


def test_ids_and_models_do_not_tell_who_extracts(simulation, calls):
    bad = extracting(simulation)
    shapes: dict[bool, set[tuple[str, ...]]] = defaultdict(set)
    models: dict[bool, set[str | None]] = defaultdict(set)
    agents: dict[bool, set[str | None]] = defaultdict(set)
    for call in calls:
        ids = (call.event_id, call.account_id, call.api_key_id, call.org_id, call.project_id, call.payment_id)
        shapes[call.account_id in bad].add(tuple(re.sub("[0-9a-f](?=[0-9a-f]*$)", "x", text or "") for text in ids))
        models[call.account_id in bad].add(call.model)
        agents[call.account_id in bad].add(call.user_agent)
    assert shapes[True] == shapes[False]
    assert models[True] <= models[False]
    assert agents[True] <= agents[False]
    assert {NEW_MODEL, CHEAP_MODEL} <= models[False]


@pytest.mark.parametrize(("accounts", "prevalence"), [(10, 0.4), (60, 0.0), (200, 0.2), (2000, 0.01)])
def test_the_share_that_extracts_is_as_asked_for(accounts, prevalence):
    simulation = make(accounts=accounts, days=4, prevalence=prevalence)
    found = len(extracting(simulation)) / accounts
    assert found <= prevalence + 0.005
    # A replacement may come too late to call.
    assert found >= 0.7 * prevalence - 1 / accounts
    assert len({stream.identity.account_id for stream in simulation.streams}) <= accounts


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_can_be_had_one_by_one(kind):
    simulation = make(accounts=20, days=5, kinds=(kind,), benign=0.0)
    assert {label.kind for label in simulation.labels} == {kind}


def test_pools_have_the_size_that_is_asked_for():
    simulation = make(accounts=150, days=6, pool_size=40, prevalence=0.6)
    pools = Counter(label.campaign_id for label in simulation.labels if label.kind in POOLS)
    assert len(pools) == 1
    assert all(30 <= count <= 40 for count in pools.values())
    assert {label.kind for label in simulation.labels} >= set(ALONE)


def test_late_2024_takes_the_same_wishes():
    def late(**mix: object) -> Simulation:
        return generate("late-2024", accounts=60, days=6, seed=4, rate_scale=0.3, mix=Mix(**mix))

    assert {label.kind for label in late().labels} == set(LATE_2024_KINDS)
    assert {label.kind for label in late(kinds=("ramp", "pool")).labels} == {"ramp", "pool"}
    assert late(prevalence=0.0).labels == []
    assert len(extracting(late(prevalence=0.5))) > 20
    alike = late(benign=0.5, label_benign=True)
    assert len({label.kind for label in alike.labels} & LOOK_ALIKES) > 5
    # Wishes for some leave the others as they are.
    alone, among_others = (
        [label for label in one.labels if label.kind == "heavy"] for one in (late(kinds=("heavy",)), late())
    )
    assert alone == among_others


@settings(max_examples=300, deadline=None)
@given(
    st.integers(10, 100_000),
    st.integers(0, 2),
    st.integers(0, 7),
    st.none() | st.floats(0.0, 1.0),
    st.none() | st.floats(0.0, 1.0),
)
def test_accounts_are_dealt_out_without_rest(accounts, pools, alone, prevalence, benign):
    if not pools and not alone:
        return
    dealt = shares(accounts, pools, alone, 0.05, 0.25, Mix(prevalence=prevalence, benign=benign))
    counts = (dealt.honest, dealt.alike, dealt.pooled, dealt.alone)
    assert min(counts) >= 0
    assert accounts <= sum(counts) <= accounts + 2
    if prevalence is not None:
        assert prevalence * accounts - 1 <= dealt.pooled + dealt.alone <= max(prevalence * accounts + 1, 3)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60_000), st.integers(0, 1_000))
def test_sizes_of_pools_add_up(seats, seed):
    sizes = list(pool_sizes(seats, Mix(), source(seed)))
    assert sum(sizes) == (seats if seats >= 3 else 0)
    assert all(size >= 3 for size in sizes)


def test_a_spool_gives_what_memory_gives(tmp_path):
    made = {"accounts": 40, "days": 4, "seed": 6}
    inside = generate("mixed", **made)
    with spooled(parts("mixed", **made)) as spool:
        assert list(spool.calls()) == list(inside.calls())
        assert spool.labels == inside.labels


def test_calls_of_one_time_come_in_the_order_of_their_streams():
    (stream,) = next(iter(parts("mixed", accounts=10, days=3, seed=1))).streams
    streams = [replace(stream, identity=replace(stream.identity, account_id=f"{number:03}")) for number in range(40)]
    moments = itertools.groupby(Simulation(streams, []).calls(), key=lambda call: call.ts)
    rounds = [[call.account_id for call in found] for _, found in moments]
    assert rounds
    assert all(accounts == sorted(accounts) for accounts in rounds)


def test_a_spool_may_be_written_in_many_goes(monkeypatch):
    made = {"accounts": 30, "days": 3, "seed": 6}
    monkeypatch.setattr("replay.scenarios.spool._KEPT", 500)
    with spooled(parts("mixed", **made)) as spool:
        assert list(spool.calls()) == list(generate("mixed", **made).calls())


@pytest.mark.parametrize(
    "mix",
    [
        {"prevalence": 1.5},
        {"benign": -0.1},
        {"prevalence": 0.7, "benign": 0.7},
        {"kinds": ("heavy", "heavier")},
        {"kinds": ()},
        {"pool_size": 2},
        {"pool_size": 50},
        {"pool_rate": (0, 5)},
        {"pool_rate": (9, 5)},
    ],
)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_wishes_that_make_no_sense_are_refused_in_one_line(scenario, mix):
    with pytest.raises(ReplayError) as refused:
        parts(scenario, accounts=50, days=3, seed=1, mix=Mix(**mix))
    assert "\n" not in str(refused.value)


def test_the_command_writes_what_is_asked_for(tmp_path: Path, capsys):
    events, labels = tmp_path / "events.jsonl", tmp_path / "labels.csv"
    given = {"accounts": 40, "days": 4, "seed": 2, "rate_scale": 0.2}
    asked = {"kinds": "logprob, pool", "pool_rate": "20..60", "prevalence": 0.2, "benign": 0.5, "label_benign": True}
    assert simulate("mixed", output=str(events), labels=labels, **given, **asked) == 0
    said = capsys.readouterr().err
    lines = events.read_bytes().count(b"\n")
    assert f"{lines:,} events" in said
    with labels.open(newline="") as stream:
        kinds = Counter(row["kind"] for row in csv.DictReader(stream))
    for kind, count in kinds.items():
        assert f"{count} {kind}" in said
    assert set(kinds) - LOOK_ALIKES == {"logprob", "pool"}
    assert len(set(kinds) & LOOK_ALIKES) > 5
