"""Which groups of accounts are campaigns, and which are not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from pipeline.campaigns.behaviour import FEATURES, GroupModels
from pipeline.state import Saved
from tests.unit.campaign_support import HOUR, SETTINGS, START, World, campaigns_in, found_in, signals_of

DAYS = 4
SECOND_DAY = range(26, 24 * DAYS)


def world(seed: int = 1, accounts: int = 250) -> World:
    """Ordinary accounts over four days."""
    made = World(seed)
    made.ordinary(accounts, 24 * DAYS)
    return made


def pool(size: int = 12) -> tuple[list[str], dict[str, object]]:
    """Names of a pool's members, and what they share: a prompt, two networks, a card to each three."""
    names = [f"member-{index}" for index in range(size)]
    return names, {
        "system_prompt_hash": "ab" * 8,
        "payment_id": [f"pool card {index // 3}" for index in range(size)],
        "client_ip": [f"203.0.{113 + index % 2}.{index}" for index in range(size)],
        "prompt_simhash": 0x1234_5678_9ABC_DEF0,
        "signup_ts": START + 20 * HOUR,
    }


def test_a_pool_is_found_within_hours_and_nobody_else_belongs_to_it() -> None:
    made = world()
    names, shared = pool()
    made.group(names, SECOND_DAY, rate=1.5, **shared)
    campaigns, members, changes = found_in(made)
    assert len(campaigns) == 1
    assert set(members) == set(names)
    (campaign,) = campaigns.values()
    assert campaign.members == len(names)
    assert campaign.detected_at <= START + 32 * HOUR
    assert {one.link for one in campaign.evidence} >= {"system_prompt", "payment", "address_prefix"}
    assert all(member.joined_at >= campaign.detected_at and member.evidence for member in members.values())
    first = changes.incidents[0]
    assert (first.entity_type, first.entity_id, first.detected_at) == (
        "campaign",
        campaign.campaign_id,
        campaign.detected_at,
    )
    assert sum(reason.share for reason in first.reasons) == pytest.approx(1.0)


def test_before_the_warm_up_ends_nothing_is_a_campaign() -> None:
    made = world()
    names, shared = pool()
    made.group(names, range(1, 22), rate=1.5, **shared)
    assert found_in(made)[0] == {}


HONEST = {
    "a company": {
        "org_id": "company",
        "payment_id": "company card",
        "client_ip": "198.51.100.9",
        "system_prompt_hash": "cc" * 8,
        "prompt_simhash": 77,
    },
    "a product at several accounts of one organisation": {
        "org_id": "maker",
        "system_prompt_hash": "dd" * 8,
        "prompt_simhash": 78,
        "client_ip": "198.51.100.10",
    },
    "a reseller": {"payment_id": "reseller", "client_ip": "198.51.100.11", "system_prompt_hash": "1d" * 8},
    "branches of a company, each with a bill of its own": {
        "client_ip": "198.51.100.12",
        "system_prompt_hash": "2e" * 8,
        "prompt_simhash": 80,
    },
    "users of a framework": {"system_prompt_hash": "ee" * 8, "prompt_simhash": 79},
    "neighbours at a hosting provider": {"client_ip": [f"198.51.101.{index}" for index in range(12)], "asn": 24940},
    "people who signed up when the price fell": {"signup_ts": START + 20 * HOUR},
}


@pytest.mark.parametrize("who", HONEST)
def test_an_honest_group_is_no_campaign(who: str) -> None:
    made = world()
    rates = [float(rate) for rate in made.random.lognormal(0.0, 1.0, 12)]
    made.group([f"honest-{index}" for index in range(12)], SECOND_DAY, rate=rates, **HONEST[who])
    assert found_in(made)[0] == {}


def test_what_many_share_links_nobody_even_in_one_network() -> None:
    made = world(accounts=200)
    names = [f"framework-{index}" for index in range(60)]
    made.group(
        names,
        range(24 * DAYS),
        rate=[float(rate) for rate in made.random.lognormal(-1.0, 1.0, 60)],
        system_prompt_hash="ff" * 8,
        prompt_simhash=80,
        client_ip=[f"198.51.{index // 4}.7" for index in range(60)],
    )
    assert found_in(made)[0] == {}


def test_members_replaced_after_a_ban_rejoin_the_same_campaign_with_their_first_calls_and_raise_an_alert() -> None:
    made = world()
    names, shared = pool(8)
    made.group(names, range(26, 50), rate=1.5, **shared)
    # All banned; two days later others come, on new cards and from one of the networks.
    late = [f"replacement-{index}" for index in range(4)]
    shared |= {"payment_id": [f"new card {index}" for index in range(4)], "client_ip": "203.0.113.99"}
    made.group(late, range(76, 24 * DAYS), rate=1.5, **shared)
    campaigns, members, changes = found_in(made)
    assert len(campaigns) == 1
    assert set(members) == set(names) | set(late)
    assert all(members[name].joined_at <= START + 84 * HOUR for name in late)
    alerts = {one.incident_id: one.detected_at for one in changes.incidents}
    assert len(alerts) >= 2
    assert max(alerts.values()) >= START + 76 * HOUR


def test_a_quiet_campaign_is_closed_and_opens_again() -> None:
    made = World(3)
    made.ordinary(150, 24 * 9)
    names, shared = pool()
    made.group(names, range(26, 40), rate=1.5, **shared)
    again = shared | {name: list(shared[name])[:5] for name in ("payment_id", "client_ip")}  # type: ignore[call-overload]
    made.group(names[:5], range(200, 210), rate=1.5, **again)
    campaigns, _, changes = found_in(made)
    assert len(campaigns) == 1
    assert [one.status for one in changes.campaigns if one.version > 1].count("closed") == 1
    ended = [one for one in changes.incidents if one.status == "closed"]
    assert [one.closed_at for one in ended] == [START + (39 + 1 + 72) * HOUR]
    (campaign,) = campaigns.values()
    assert (campaign.status, campaign.last_seen_at >= START + 200 * HOUR) == ("open", True)


def test_more_evidence_can_be_asked_for() -> None:
    made = world()
    names, shared = pool()
    made.group(names, SECOND_DAY, rate=1.5, **shared)
    strict = msgspec.structs.replace(SETTINGS, open_at=500.0)
    assert campaigns_in(signals_of(made.in_order(), 2, 5000), 2, strict)[0] == {}


def test_models_of_groups_that_have_seen_none_go_on_from_a_state_beside_others() -> None:
    saved = GroupModels().save()
    assert saved.shared == {}
    models = GroupModels()
    models.load(Saved(shared={"campaigns": np.zeros(1, np.uint8)}))
    models.learn(dict.fromkeys(FEATURES, 1.0))
    again = GroupModels()
    again.load(Saved(shared={"campaigns": np.zeros(1, np.uint8), **models.save().shared}))
    assert again.expected("volume") == 1.0
