"""The behaviour of hours against a plain reckoning."""

import itertools
import math
from collections import defaultdict

import msgspec
import numpy as np
import pytest

from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch
from pipeline.features.behaviour import BEHAVIOUR_NAMES, BEHAVIOURS, BINS, MIX_NAMES, SUM_NAMES
from pipeline.features.extract import extract
from pipeline.features.layout import HOUR_LEVEL
from pipeline.features.state import make_room, new_state

START = 1_733_011_200_000
HOUR = 3_600_000


def calls(seed: int = 1, count: int = 600) -> list[ApiCall]:
    random = np.random.default_rng(seed)
    times = np.sort(random.integers(0, 9 * HOUR, count)) - random.integers(0, 60_000, count)
    templates = random.integers(0, 1 << 62, 3)
    made = []
    for index, offset in enumerate(np.maximum(times, 0).tolist()):
        simhash = int(templates[index % 3]) ^ (1 << int(random.integers(64)))
        made.append(
            ApiCall(
                event_id=str(index),
                ts=START + offset,
                account_id=f"a{random.integers(3)}",
                input_tokens=int(random.integers(1, 500)),
                output_tokens=int(random.integers(0, 900)),
                reasoning_tokens=int(random.integers(0, 50)),
                cached_input_tokens=int(random.integers(0, 2)) * 30,
                logprobs=bool(random.integers(2)),
                tools=int(random.integers(2)),
                max_tokens=800,
                model=f"m{random.integers(4)}",
                asn=int(random.integers(3)) or None,
                client_ip=f"10.0.0.{random.integers(3)}",
                status=int(random.choice([200, 429])),
                prompt_hash=f"{random.integers(40):04x}",
                prompt_simhash=f"{simhash & (1 << 64) - 1:016x}" if index % 2 else None,
            )
        )
    return made


def behaviours(events: list[ApiCall], cuts: tuple[int, ...] = ()) -> dict[tuple[int, int], np.ndarray]:
    """Behaviour of each account slot and hour that closed."""
    state, batch = new_state(120), EventBatch.from_calls(events, range(len(events)), 0)
    names = {name: slot for slot, name in enumerate(dict.fromkeys(call.account_id for call in events))}
    slots = np.array([names[call.account_id] for call in events])
    make_room(state, len(names))
    found = {}
    for begin, end in itertools.pairwise((0, *cuts, len(events))):
        _, windows = extract(batch[begin:end], slots[begin:end], np.zeros(end - begin, np.bool_), state, 120)
        hours = np.flatnonzero(windows.level == HOUR_LEVEL)
        assert windows.behaviour.shape == (hours.size, BEHAVIOURS)
        for row, one in zip(hours.tolist(), windows.behaviour, strict=True):
            found[int(windows.slot[row]), int(windows.number[row])] = one
    return found


def test_sums_are_those_of_a_plain_reckoning() -> None:
    events = calls()
    found = behaviours(events)
    slots = {name: slot for slot, name in enumerate(dict.fromkeys(call.account_id for call in events))}
    plain: dict[tuple[int, int], list[ApiCall]] = defaultdict(list)
    for call in events:
        plain[slots[call.account_id], call.ts // HOUR].append(call)
    assert len(found) > 15
    for key, row in found.items():
        of_hour = plain[key]
        sums = dict(zip(SUM_NAMES, row.tolist(), strict=False))
        assert sums["calls"] == len(of_hour)
        assert sums["output_tokens"] == sum(call.output_tokens or 0 for call in of_hour)
        assert sums["logprobs_calls"] == sum(bool(call.logprobs) for call in of_hour)
        assert sums["cached_calls"] == sum(bool(call.cached_input_tokens) for call in of_hour)
        assert sums["tool_calls"] == sum(bool(call.tools) for call in of_hour)
        assert sums["longest_calls"] == sum((call.output_tokens or 0) >= 784 for call in of_hour)
        assert sums["throttled_calls"] == sum(call.status == 429 for call in of_hour)
        assert sums["fresh_calls"] == pytest.approx(len({call.prompt_hash for call in of_hour}), rel=0.15, abs=1.5)
        mixes = row[len(SUM_NAMES) :].reshape(len(MIX_NAMES), BINS)
        weights = sum((call.output_tokens or 0) + 1 for call in of_hour)
        assert mixes.sum(axis=1) == pytest.approx(weights)
        assert np.count_nonzero(mixes[0]) == 1
        assert 1 < np.count_nonzero(mixes[1]) <= 4


def test_prompts_of_a_template_are_near_and_unrelated_ones_are_not() -> None:
    def repeated(simhashes: list[int]) -> float:
        events = [
            ApiCall(event_id=str(n), ts=START + n * 1000, account_id="a", prompt_simhash=f"{one:016x}")
            for n, one in enumerate(simhashes)
        ]
        events.append(ApiCall(event_id="end", ts=START + 3 * HOUR, account_id="a"))
        return float(behaviours(events)[0, START // HOUR][SUM_NAMES.index("repeated_calls")])

    random = np.random.default_rng(5)
    template = int(random.integers(1 << 62))
    flipped = [template ^ (1 << int(a)) ^ (1 << int(b)) for a, b in random.integers(0, 64, (50, 2))]
    assert repeated(flipped) >= 47
    assert repeated([int(one) for one in random.integers(0, 1 << 62, 50)]) <= 1


def test_gaps_tell_a_steady_pace() -> None:
    events = [ApiCall(event_id=str(n), ts=START + n * 9000, account_id="a") for n in range(100)]
    events.append(ApiCall(event_id="end", ts=START + 3 * HOUR, account_id="a"))
    sums = dict(zip(SUM_NAMES, behaviours(events)[0, START // HOUR].tolist(), strict=False))
    mean = sums["log_gap"] / sums["gaps"]
    assert mean == pytest.approx(math.log(10))
    assert sums["log_gap_squared"] / sums["gaps"] - mean**2 == pytest.approx(0.0, abs=1e-4)


def test_hours_are_the_same_however_events_are_cut_and_out_of_order() -> None:
    events = calls(2)
    whole = behaviours(events)
    cut = behaviours(events, (1, 7, 300, 301, 555))
    assert whole.keys() == cut.keys()
    for key, row in whole.items():
        assert row.tolist() == cut[key].tolist()


def test_a_prompt_without_a_hash_counts_as_new() -> None:
    events = [msgspec.structs.replace(call, prompt_hash=None) for call in calls(3)]
    for row in behaviours(events).values():
        sums = dict(zip(SUM_NAMES, row.tolist(), strict=False))
        assert sums["fresh_calls"] == sums["calls"]


def test_every_column_has_a_name() -> None:
    assert len(BEHAVIOUR_NAMES) == len(set(BEHAVIOUR_NAMES)) == BEHAVIOURS
