"""What the engine tells of an account's hours and of the values it shares."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event import ApiCall
from pipeline.event.address import network_of, network_text
from pipeline.features.link_kinds import KINDS, value_text
from tests.unit.campaign_support import HOUR, START, signals_of


def call(number: int, minute: float, **fields: object) -> ApiCall:
    """A call of account `a` so many minutes after the start."""
    known = {"event_id": str(number), "ts": START + int(minute * 60_000), "account_id": "a"}
    return ApiCall(**(known | fields))  # type: ignore[arg-type]


def links_told(calls: list[ApiCall]) -> list[tuple[str, int, str, str]]:
    """(account, hour, kind, value for people) of every link told, the watermark having passed all."""
    last = msg(calls)
    found = []
    for one in signals_of([*calls, last], 1, 10_000):
        rows = zip(one.links.of.tolist(), one.links.kind.tolist(), one.links.value.tolist(), strict=True)
        found += [
            (one.account_id[of], int(one.hours.hour[of]) - START // HOUR, KINDS[kind], value_text(kind, value))
            for of, kind, value in rows
        ]
    return found


def msg(calls: list[ApiCall]) -> ApiCall:
    """A call of another account, long after."""
    return ApiCall(event_id="last", ts=max(one.ts for one in calls) + 3 * HOUR, account_id="z")


def test_an_hour_tells_each_value_used_once_and_the_next_hour_tells_it_again() -> None:
    fields = {"client_ip": "203.0.113.5", "asn": 64500, "user_agent": "x", "payment_id": "p"}
    told = links_told([call(n, minute, **fields) for n, minute in enumerate((1, 2, 61, 62))])
    assert [(hour, kind) for _, hour, kind, _ in told] == [
        (hour, kind) for hour in (0, 1) for kind in ("payment", "address_prefix", "network_program")
    ]
    assert {value for _, _, kind, value in told if kind == "address_prefix"} == {"203.0.113.0/24"}


def test_a_family_is_told_once_a_second_prompt_is_near_the_first() -> None:
    far = "0123456789abcdef"
    near = "0123456789abcdee"
    assert links_told([call(1, 1, prompt_simhash=far)]) == []
    told = links_told([call(1, 1, prompt_simhash=far), call(2, 90, prompt_simhash=near)])
    assert [(hour, value) for _, hour, _, value in told] == [(1, "1:89ab"), (1, "2:4567"), (1, "3:0123")]


def test_a_new_key_of_an_account_that_had_one_is_a_rotation_in_its_hour() -> None:
    keys = ["k1", "k1", "k2", "k1", "k2"]
    told = links_told([call(n, 30 * n, api_key_id=key) for n, key in enumerate(keys)])
    assert [(hour, value) for _, hour, kind, value in told if kind == "key_rotation"] == [(1, "2024-12-01 01:00")]


def test_many_values_of_an_account_are_bounded_and_the_ones_it_keeps_using_stay() -> None:
    calls = [
        call(n, n / 10, prompt_simhash=f"{n * 2654435761 % (1 << 64):016x}", client_ip=f"10.0.{n % 250}.1")
        for n in range(500)
    ]
    steady = [call(1000 + n, n, prompt_simhash="aaaabbbbccccdddd") for n in range(50)]
    told = links_told(sorted([*calls, *steady], key=lambda one: one.ts))
    assert len(told) < 50
    assert ("a", 0, "family", "3:aaaa") in told


def test_account_hours_add_up_whatever_the_lateness_within_what_is_allowed() -> None:
    minutes = [0, 59, 61, 59.5, 60.5, 130]
    signals = signals_of(
        [*(call(n, minute, output_tokens=10) for n, minute in enumerate(minutes)), msg([call(9, 130)])], 1, 100
    )
    hours = [
        (int(hour), int(calls)) for one in signals for hour, calls in zip(one.hours.hour, one.hours.calls, strict=True)
    ]
    assert hours == [(START // HOUR, 2), (START // HOUR + 1, 3), (START // HOUR + 2, 1)]
    assert sum(int(one.hours.output_tokens.sum()) for one in signals) == 60
    assert [int(until) for one in signals for until in one.closed.until][-1] == START // HOUR + 5


def test_networks() -> None:
    for address, text in (
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
    ):
        assert network_text(network_of(address)) == text
    assert network_of(None) == network_of("") == network_of("host.example") == network_of("1.2.3") == 0


@given(st.ip_addresses())
def test_every_address_has_a_network_that_is_not_zero(address: object) -> None:
    network = network_of(str(address))
    assert 0 < network < 1 << 63
    assert network_text(network)
