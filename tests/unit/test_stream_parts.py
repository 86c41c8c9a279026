"""The small parts of the stream: addresses, envelopes, the guard, metrics, and who is found where."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event import RAW_LIMIT, Rejected, RejectReason
from pipeline.settings import StreamSettings
from pipeline.stream import metrics as m
from pipeline.stream.address import (
    BrokerAddressError,
    BrokerNotRunningError,
    bootstrap_servers,
    discover,
    free_port,
    parse_address,
    wait_for_broker,
    write_discovery,
)
from pipeline.stream.embedded import EmbeddedBroker, find_or_start
from pipeline.stream.envelope import pack, unpack
from pipeline.stream.guard import RejectGuard
from pipeline.stream.topics import topic_specs


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("embedded", ()),
        ("kafka://a:9092", ("a:9092",)),
        ("kafka://a,b:19092", ("a:9092", "b:19092")),
        ("kafka://[::1]:9092", ("[::1]:9092",)),
    ],
)
def test_addresses(text: str, servers: tuple[str, ...]) -> None:
    assert parse_address(text).servers == servers


@pytest.mark.parametrize(
    "text", ["", "kafka", "kafka://", "kafka://a:", "kafka://a:x", "kafka://a:99999", "http://a:1"]
)
def test_wrong_addresses_are_told_in_one_line(text: str) -> None:
    with pytest.raises(BrokerAddressError) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


def test_no_embedded_broker_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BrokerNotRunningError, match="start `stillwatch worker` in this folder"):
        bootstrap_servers("embedded", tmp_path)


def test_a_discovery_file_of_a_dead_process_or_of_nonsense_counts_for_nothing(tmp_path: Path) -> None:
    write_discovery(tmp_path, 2**22 + 1, "127.0.0.1:1")
    assert discover(tmp_path) is None
    write_discovery(tmp_path, os.getpid(), f"127.0.0.1:{free_port()}")
    assert discover(tmp_path) is None
    (tmp_path / "broker.json").write_text("{")
    assert discover(tmp_path) is None


def test_the_embedded_broker_is_found_by_others_and_leaves_nothing(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        assert bootstrap_servers("embedded", tmp_path) == [broker.server]
        found, own = find_or_start(tmp_path)
        assert (found, own) == (broker.server, None)
        pid = broker.pid
    assert discover(tmp_path) is None
    assert not (tmp_path / "broker.json").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_waiting_for_a_broker_that_never_comes_ends_with_one_line() -> None:
    told: list[str] = []
    with pytest.raises(BrokerNotRunningError, match="no broker answers at 127"):
        wait_for_broker([f"127.0.0.1:{free_port()}"], 0.1, told.append)
    assert len(told) == 1


rejects = st.builds(
    Rejected,
    reason=st.sampled_from(RejectReason),
    detail=st.text(max_size=300),
    raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    received_at=st.integers(0, 2**53),
    source=st.text(max_size=50),
    topic=st.text(max_size=20),
    partition=st.integers(-1, 2**31 - 1),
    offset=st.integers(-1, 2**63 - 1),
)


@given(event=rejects)
def test_an_envelope_gives_back_what_was_put_in(event: Rejected) -> None:
    try:
        event.detail.encode(), event.source.encode(), event.topic.encode()
    except UnicodeEncodeError:
        return
    assert unpack(pack(event), received_at=0, topic="t", partition=0, offset=0) == event


@given(value=st.binary(max_size=500))
def test_a_value_that_is_no_envelope_is_kept_as_a_reject_itself(value: bytes) -> None:
    event = unpack(value, received_at=7, topic="api-calls.rejected", partition=0, offset=12)
    assert event.reason is RejectReason.MALFORMED_JSON
    assert (event.topic, event.partition, event.offset, event.raw) == ("api-calls.rejected", 0, 12, value)


def test_an_envelope_of_control_characters_fits_into_a_message() -> None:
    event = Rejected(reason=RejectReason.OVERSIZED, detail="", raw=b"\x01" * RAW_LIMIT, received_at=0)
    assert len(pack(event)) < 1 << 20


def test_the_guard_needs_a_tenth_of_its_window_and_forgets_what_is_old() -> None:
    guard = RejectGuard(0.5, 1000)
    guard.add(99, 99)
    assert not guard.tripped
    guard.add(1, 1)
    assert guard.tripped
    for _ in range(10):
        guard.add(100, 10)
    assert not guard.tripped
    assert guard.share == pytest.approx(0.1)


def test_the_guard_allows_exactly_its_limit() -> None:
    guard = RejectGuard(0.5, 100)
    guard.add(100, 50)
    assert not guard.tripped
    guard.add(1, 1)
    assert guard.tripped


def test_metrics_render_as_prometheus_reads_them() -> None:
    metrics = m.Metrics()
    metrics.add(m.RECEIVED, 3)
    metrics.add(m.REJECTED, 2, 'odd"reason\n')
    metrics.put(m.LAG, 1.5, "api-calls", "0")
    lines = metrics.render().splitlines()
    assert "stillwatch_events_received_total 3" in lines
    assert r'stillwatch_events_rejected_total{reason="odd\"reason\n"} 2' in lines
    assert 'stillwatch_lag_records{topic="api-calls",partition="0"} 1.5' in lines
    assert all(re.fullmatch(r"# (HELP|TYPE) .+|[a-z_]+(\{.*\})? [-\d.e+]+", line) for line in lines)


def test_every_topic_is_in_the_operations_manual() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert [spec.name for spec in topic_specs(StreamSettings()) if f"`{spec.name}`" not in manual] == []


def test_every_test_that_the_operations_manual_names_is_there() -> None:
    root = Path(__file__).parents[2]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (root / "docs" / "operations.md").read_text())
    assert len(named) > 10
    assert [name for file, name in named if f"def {name}(" not in (root / file).read_text()] == []
