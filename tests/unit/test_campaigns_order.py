"""The same signals give the same campaigns, however they are cut, interleaved, repeated, sharded or interrupted."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaigns.hours import HourGate, Passed
from pipeline.campaigns.shard import CampaignShard
from pipeline.campaigns.tracked import Changes
from pipeline.campaigns.wire import CAMPAIGNS_AT, Told, WireError, by_shard, pack, unpack
from pipeline.features.signals import Signals
from pipeline.state import StateError, decode_state, encode_state
from tests.unit.campaign_support import LATENESS_S, SETTINGS, World, campaigns_in, encoded, signals_of
from tests.unit.test_campaigns import pool

PARTITIONS = 3
SHARED = ("payment_id", "client_ip", "asn", "api_key_id", "signup_ts", "system_prompt_hash", "prompt_simhash")


@cache
def calls() -> tuple:  # type: ignore[type-arg]
    """Calls with a pool among them that is found, changes and closes."""
    made = World(5)
    made.ordinary(100, 24 * 8)
    names, shared = pool(8)
    made.group(names, range(26, 60), rate=1.0, **shared)
    return tuple(made.in_order())


@cache
def signals(batch: int = 2000) -> tuple[Signals, ...]:
    """Their signals."""
    return tuple(signals_of(calls(), PARTITIONS, batch))


@cache
def expected() -> bytes:
    """What becomes of campaigns."""
    changes = campaigns_in(signals(), PARTITIONS)[2]
    assert {one.status for one in changes.campaigns} == {"open", "closed"}
    assert changes.members
    return encoded(changes)


def test_any_split_into_batches_gives_the_same_campaigns() -> None:
    for batch in (137, 999_999):
        assert encoded(campaigns_in(signals(batch), PARTITIONS)[2]) == expected()


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_interleaving_of_partitions_gives_the_same_campaigns(random) -> None:  # type: ignore[no-untyped-def]
    queues = [[one for one in signals() if one.partition == number] for number in range(PARTITIONS)]
    order = []
    while any(queues):
        order.append(random.choice([queue for queue in queues if queue]).pop(0))
    assert encoded(campaigns_in(order, PARTITIONS)[2]) == expected()


def test_signals_told_twice_change_nothing() -> None:
    # As after a crash: the tail of a partition's signals comes again, whole or in part.
    twice = []
    for index, one in enumerate(signals()):
        twice.append(one)
        if index % 5 == 4:
            twice += [again for again in signals()[index - 4 : index + 1] if again.partition == one.partition]
    assert encoded(campaigns_in(twice, PARTITIONS)[2]) == expected()


def through_shards(interrupt: int = 0, repeat: bool = False) -> Changes:
    """The signals through shards and the wire, as the stream has it; every so many records all shards are saved and put back."""
    shards = [CampaignShard(SETTINGS, LATENESS_S, PARTITIONS, number) for number in range(PARTITIONS)]
    queue: list[tuple[int, bytes]] = []
    changes = Changes()
    heard = 0
    for one in signals():
        queue += [(number, pack(part)) for number, part in by_shard(one, PARTITIONS).items()]
        while queue:
            number, data = queue.pop(0)
            told, became = shards[number].hear(unpack(data))
            changes.extend(became)
            records = [pack(record) for record in told]
            queue += [(CAMPAIGNS_AT, record) for record in (records * 2 if repeat else records)]
            heard += 1
            if interrupt and heard % interrupt == 0:
                shards = [restored(shard) for shard in shards]
    return changes


def restored(shard: CampaignShard) -> CampaignShard:
    """Another shard that knows only what was saved."""
    other = CampaignShard(SETTINGS, LATENESS_S, PARTITIONS, shard.shard)
    assert other.load([decode_state(encode_state(shard.save(whole=False)))]) == []
    assert (other.watermark, other.found_until) == (shard.watermark, shard.found_until)
    return other


def test_shards_give_the_campaigns_that_one_stage_gives() -> None:
    assert encoded(through_shards()) == expected()


def test_shards_saved_and_put_back_go_on_as_if_nothing_had_happened() -> None:
    assert encoded(through_shards(interrupt=40, repeat=True)) == expected()


def test_a_state_of_other_settings_is_refused() -> None:
    shard = CampaignShard(SETTINGS, LATENESS_S, PARTITIONS, 0)
    other = CampaignShard(msgspec.structs.replace(SETTINGS, open_at=99.0), LATENESS_S, PARTITIONS, 0)
    with pytest.raises(StateError, match="of other settings"):
        other.load([shard.save(whole=True)])


def test_records_travel_and_damaged_ones_are_refused() -> None:
    one = next(one for one in signals() if len(one))
    back = unpack(pack(one))
    assert isinstance(back, Signals)
    assert list(back.account_id) == list(one.account_id)
    for part in ("hours", "links", "closed"):
        for name in getattr(one, part).__dataclass_fields__:
            assert np.array_equal(getattr(getattr(back, part), name), getattr(getattr(one, part), name)), name
    for data in (b"", b"{}", pack(one)[:-9], pack(Told(1, []))[1:]):
        with pytest.raises(WireError):
            unpack(data)


def test_calls_that_share_nothing_are_heard_too() -> None:
    bare = [msgspec.structs.replace(one, **dict.fromkeys(SHARED)) for one in calls()[:500]]
    told = signals_of(bare, PARTITIONS, 100)
    assert any(len(one) for one in told)
    assert campaigns_in(told, PARTITIONS)[2] == Changes()


def test_an_idle_partition_is_waited_for_until_it_rests() -> None:
    gate: HourGate[str] = HourGate(range(2))
    gate.add(0, 5, "a")
    gate.passed(0, [Passed(7, 10)])
    assert list(gate.ready()) == []
    assert gate.blocked_by() == {1}
    gate.idle.add(1)
    assert list(gate.ready()) == [(5, ["a"], 10), (6, [], 10)]
    gate.add(1, 6, "too late")
    gate.add(1, 8, "b")
    gate.passed(0, [Passed(9, 10)])
    assert gate.late == 1
    assert list(gate.ready()) == []
    gate.passed(1, [Passed(9, 3)])
    assert [hour for hour, _, _ in gate.ready()] == [7, 8]
