"""Hashed addresses: equal where they were, of one network where they were, and nowhere to be read."""

import gzip
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event import ApiCall, EventLimits, Rejected, decode, encode
from pipeline.event.address import network_of
from pipeline.event.pseudonym import AddressKeyError, address_key, pseudonym, without_addresses
from pipeline.sources import SourceOptions, read_calls

KEY = b"a key of the tests"
NOW = 1_795_000_000_000
addresses = st.ip_addresses().filter(lambda address: address.packed[0] != 0xFD)


@given(addresses, addresses)
def test_what_is_equal_and_of_one_network_stays_so(
    one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address
) -> None:
    hashed, others = pseudonym(str(one), KEY), pseudonym(str(other), KEY)
    assert str(one) not in hashed
    assert (hashed == others) == (one == other)
    assert (network_of(hashed) == network_of(others)) == (network_of(str(one)) == network_of(str(other)))
    assert pseudonym(hashed, KEY) == hashed


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_network_of_ipv4_is_kept(host: int, other: int) -> None:
    hashed = [pseudonym(f"203.0.113.{number}", KEY) for number in (host, other)]
    assert network_of(hashed[0]) == network_of(hashed[1])
    assert (hashed[0] == hashed[1]) == (host == other)
    assert pseudonym(f"::ffff:203.0.113.{host}", KEY) == hashed[0]


def test_another_key_gives_another_hash_and_what_is_no_address_is_hashed_too() -> None:
    assert pseudonym("203.0.113.7", KEY) != pseudonym("203.0.113.7", KEY + b"!")
    for text in ("203.0.113.7:443", "gateway.example", "", "9f86d081884c7d65"):
        hashed = pseudonym(text, KEY)
        assert hashed.startswith("x-")
        assert network_of(hashed) == 0
        assert pseudonym(hashed, KEY) == hashed


def test_addresses_are_out_of_attributes_and_of_what_is_rejected() -> None:
    call = ApiCall(event_id="e", ts=NOW, account_id="a", client_ip="203.0.113.7")
    call.attributes = {"x_forwarded_for": "203.0.113.7, 2001:db8::7", "version": "12:30:45 1.2.3", "n": "7"}
    result = without_addresses(call, KEY)
    assert isinstance(result, ApiCall)
    assert result.attributes["x_forwarded_for"] == f"{pseudonym('203.0.113.7', KEY)}, {pseudonym('2001:db8::7', KEY)}"
    assert result.attributes["version"] == "12:30:45 1.2.3"
    for around in ("at {}.", "[{}]:443", "{}:443", "a={};b", "{}%eth0"):
        for address in ("203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"):
            if "::" not in address or around != "{}:443":
                call.attributes = {"text": around.format(address)}
                without_addresses(call, KEY)
                assert call.attributes["text"] == around.format(pseudonym(address, KEY))
    broken = Rejected(reason="malformed_json", detail="", raw=b'{"client_ip":"203.0.113.7", \xff', received_at=NOW)  # type: ignore[arg-type]
    kept = without_addresses(broken, KEY)
    assert isinstance(kept, Rejected)
    assert kept.raw == b'{"client_ip":"' + pseudonym("203.0.113.7", KEY).encode() + b'", \xff'


def test_the_worker_and_ingest_hash_alike_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(KEY.decode() + "\n")
    limits = EventLimits(hash_addresses=True, address_key_file=str(tmp_path / "key"))
    raw = encode(ApiCall(event_id="e", ts=NOW, account_id="a", client_ip="203.0.113.7"))
    (tmp_path / "events.jsonl.gz").write_bytes(gzip.compress(raw + b"\n{203.0.113.7\n"))
    sent = list(read_calls([str(tmp_path / "events.jsonl.gz")], options=SourceOptions(received_at=NOW, limits=limits)))
    assert isinstance(sent[0], ApiCall)
    assert isinstance(sent[1], Rejected)
    assert b"203" not in sent[1].raw
    for message in (raw, encode(sent[0])):
        seen = decode(message, received_at=NOW, limits=limits)
        assert isinstance(seen, ApiCall)
        assert seen.client_ip == sent[0].client_ip == pseudonym("203.0.113.7", KEY)
    rejected = decode(b"{203.0.113.7", received_at=NOW, limits=limits)
    assert isinstance(rejected, Rejected)
    assert b"203" not in rejected.raw


def test_without_a_key_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address_key.cache_clear()
    monkeypatch.delenv("STILLWATCH_ADDRESS_KEY", raising=False)
    with pytest.raises(AddressKeyError, match="needs a key of 16 characters"):
        address_key("")
    address_key.cache_clear()
    monkeypatch.setenv("STILLWATCH_ADDRESS_KEY", "k" * 100)
    assert len(address_key("")) == 64
    address_key.cache_clear()
    with pytest.raises(AddressKeyError, match="cannot be read: No such file"):
        address_key(str(tmp_path / "none"))


@pytest.mark.parametrize("text", [":" * 65_536 + "x", "1." * 32_768 + "x", "a:" * 32_768 + "g", "1.1.1.1" * 9_000])
def test_hostile_text_is_looked_through_in_no_time(text: str) -> None:
    broken = Rejected(reason="malformed_json", detail=text[:300], raw=text.encode(), received_at=NOW)  # type: ignore[arg-type]
    assert isinstance(without_addresses(broken, KEY), Rejected)
