"""Accounts that leave memory and come back change nothing, whenever they leave and however often."""

import itertools
import random
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Engine, Verdicts
from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch
from pipeline.settings import DetectorSettings, EngineSettings, IncidentSettings
from pipeline.state import decode_state, encode_state
from tests.unit.test_engine import process, rows

SETTINGS = EngineSettings(
    deduplication_events=1024, calibration_scores=200, incident=IncidentSettings(open_at=2.0), resident_accounts=3
)
DAY_MS = 86_400_000


def visits(seed: int, count: int, accounts: int = 25, days: int = 12) -> list[ApiCall]:
    """Calls of accounts that come for an hour or two, stay away for days, and share what they use."""
    chance = random.Random(seed)
    begin = 1_733_011_200_000
    starts = sorted(begin + chance.randrange(days * DAY_MS) for _ in range(count // 6))
    calls = []
    for start in starts:
        account = chance.randrange(accounts)
        for _ in range(6):
            calls.append(
                ApiCall(
                    event_id=f"event-{len(calls)}" if chance.random() < 0.97 else "event-0",
                    ts=start + chance.randrange(5_400_000),
                    account_id=f"account-{account}",
                    api_key_id=f"key-{chance.randrange(3)}",
                    model=chance.choice(["a", "b"]),
                    input_tokens=chance.randrange(2000),
                    output_tokens=chance.randrange(20_000 if account < 3 else 500),
                    system_prompt_hash=chance.choice(["0a", "0b", None]),
                    prompt_simhash=f"{chance.randrange(1 << 20):016x}",
                    client_ip=f"203.0.113.{chance.randrange(4)}",
                    status=200,
                )
            )
    return sorted(calls, key=lambda one: one.ts + chance.randrange(60_000))


class Shelf:
    """What left an engine, as the store has it."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, tuple[str, Any]]] = {}
        self.evicted = self.restored = 0

    def put(self, accounts: list[str], parts: Mapping[str, tuple[str, Any]]) -> None:
        for row, account in enumerate(accounts):
            self.of[account] = {name: (wanted, of[row : row + 1]) for name, (wanted, of) in parts.items()}

    def give_back(self, engine: Engine, batch: EventBatch) -> None:
        absent = engine.absent(batch.account_id)
        for account in absent:
            engine.restore([account], self.of[account])
        self.restored += len(absent)


def with_evictions(
    calls: list[ApiCall], cuts: list[int], chance: random.Random, engine_settings: EngineSettings, shelf: Shelf
) -> list[Verdicts]:
    """Verdicts when at every cut accounts may leave, a batch may come in between, and the engine may be another."""
    batch = EventBatch.from_calls(calls, range(len(calls)), 0)
    edges = [0, *sorted(cuts), len(calls)]
    engine, saved, verdicts = Engine(engine_settings, partition=0), list[bytes](), list[Verdicts]()
    idle = None
    for begin, end in itertools.pairwise(edges):
        part = batch[begin:end]
        shelf.give_back(engine, part)
        verdicts.append(engine.process(part))
        if idle is not None and chance.random() < 0.8:
            shelf.evicted += engine.evict(idle)
        idle = engine.idle(chance.choice([1, 100]))
        shelf.put(idle.accounts, idle.parts)
        state = engine.save(whole=chance.random() < 0.2)
        saved = [*(() if state.whole else saved), encode_state(state)]
        if chance.random() < 0.5:
            shelf.evicted += engine.evict(idle)
            idle = None
        if chance.random() < 0.2:
            # Killed: what has changed since the last state is in it, so nothing is to be done again.
            engine, idle = Engine(engine_settings, partition=0), None
            assert engine.load(map(decode_state, saved)) == []
            engine.elsewhere(list(shelf.of))
    return verdicts


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 600), min_size=10, max_size=60))
def test_any_evictions_give_the_verdicts_of_none(seed: int, cuts: list[int]) -> None:
    calls = visits(seed, 600)
    assert rows(with_evictions(calls, cuts, random.Random(seed), SETTINGS, Shelf())) == process(calls, [], SETTINGS)


@pytest.mark.parametrize(
    "model", ["river.anomaly.LODA", "river.anomaly.HalfSpaceTrees", "river.anomaly.GaussianScorer"]
)
@pytest.mark.parametrize("scope", ["account", "partition"])
def test_every_kind_of_model_leaves_and_comes_back(model: str, scope: str) -> None:
    day = DetectorSettings(name="day", model=model, window_s=86_400, features=("log_calls",), scope=scope)
    calls = DetectorSettings(name="one", model=model, on="event", features=("log_gap_s",), scope=scope)
    chosen = msgspec.structs.replace(SETTINGS, detectors=(*SETTINGS.detectors, day, calls))
    events, shelf = visits(7, 900), Shelf()
    assert rows(with_evictions(events, list(range(20, 900, 20)), random.Random(1), chosen, shelf)) == process(
        events, [], chosen
    )
    assert shelf.evicted > 30
    assert shelf.restored > 30


def test_incidents_open_and_close_as_without_evictions() -> None:
    events, shelf = visits(3, 3000, accounts=40, days=30), Shelf()
    undisturbed = process(events, [], SETTINGS)
    assert any(b'"closed"' in one for one in undisturbed["incidents"])
    assert rows(with_evictions(events, list(range(15, 3000, 15)), random.Random(2), SETTINGS, shelf)) == undisturbed
    assert shelf.evicted > 200


def test_slots_of_those_who_left_are_used_again() -> None:
    engine = Engine(SETTINGS, partition=0)
    for day in range(20):
        calls = [
            ApiCall(event_id=f"{day} {n}", ts=1_733_011_200_000 + day * DAY_MS + n, account_id=f"{day} {n}")
            for n in range(100)
        ]
        batch = EventBatch.from_calls(calls, range(100), 0)
        assert engine.absent(batch.account_id) == []
        engine.process(batch)
        engine.save(whole=False)
        engine.evict(engine.idle(1000))
        assert engine.resident <= 200
    assert engine.accounts == 2000
    assert engine.save(whole=True).slots.size == engine.resident
    assert engine.absent(["5 7", "5 7", "19 3", "a new one"]) == ["5 7"]


def test_one_that_called_since_it_was_taken_stays() -> None:
    engine = Engine(SETTINGS, partition=0)
    calls = [
        ApiCall(event_id=str(n), ts=1_733_011_200_000 + (n // 10) * 3 * DAY_MS, account_id=f"account-{n}")
        for n in range(20)
    ]
    engine.process(EventBatch.from_calls(calls, range(20), 0))
    assert engine.idle(100).slots.size == 0, "in no state yet"
    engine.save(whole=True)
    idle = engine.idle(100)
    assert idle.accounts == [f"account-{n}" for n in range(10)]
    again = [msgspec.structs.replace(calls[4], event_id="again", ts=calls[-1].ts)]
    engine.process(EventBatch.from_calls(again, [20], 0))
    assert engine.evict(idle) == 9
    assert engine.evict(idle) == 0
    with pytest.raises(KeyError, match="account-3 is in the store and must be restored first"):
        engine.process(EventBatch.from_calls([msgspec.structs.replace(calls[3], event_id="back")], [21], 0))
    assert engine.absent(["account-4"]) == []
    assert np.all(engine.save(whole=False).reused == idle.slots[idle.slots != 4])
