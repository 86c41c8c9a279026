"""What all tests share: markers, stores to write to (embedded and over HTTP), and a broker."""

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clickhouse_fixture import ClickHouseServer

from pipeline.settings import StreamSettings
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.embedded import EmbeddedBroker
from pipeline.stream.topics import ensure_topics, topic_specs

_databases = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make test-faults` kills more often than `make test` has the time for."""
    parser.addoption("--kills", type=int, default=3, help="how often the tests of recovery kill a worker")
    parser.addoption("--outage", type=float, default=5.0, help="seconds for which the tests take broker or store away")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that talks to a broker, so that `.ci/run` can run it again against Apache Kafka itself."""
    embedded = pytest.mark.skipif(
        not os.environ.get("STILLWATCH_TEST_BROKER"), reason="on Apache Kafka only: .ci/run, make test-faults"
    )
    unseen = pytest.mark.skipif(not os.environ.get("STILLWATCH_TEST_PAGES"), reason="make test-pages, .ci/run")
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        if item.get_closest_marker("browser") or item.get_closest_marker("documentation"):
            item.add_marker(unseen)
        if item.get_closest_marker("kafka_only"):
            item.add_marker(embedded)
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("broker")


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def http_store(clickhouse_server: ClickHouseServer) -> Iterator[Store]:
    """A migrated store over HTTP, in a database of its own."""
    clickhouse_server.faults()
    address = clickhouse_server.address(f"t{next(_databases)}")
    with connect(address, environ=clickhouse_server.environ) as store:
        migrate(store)
        yield store
        clickhouse_server.faults()
        store.command(f"DROP DATABASE {store.address.database} SYNC")


@pytest.fixture
def chdb_store(tmp_path: Path) -> Iterator[Store]:
    """A migrated store in a folder."""
    with connect(f"chdb:{tmp_path / 'store'}") as store:
        migrate(store)
        yield store


@pytest.fixture(params=["chdb", "http"])
def store(request: pytest.FixtureRequest) -> Store:
    """The same test against both ways to ClickHouse."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often a worker is killed."""
    return int(request.config.getoption("--kills"))


@pytest.fixture
def outage_s(request: pytest.FixtureRequest) -> float:
    """For how long a broker or store is away."""
    return float(request.config.getoption("--outage"))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running broker, shared by all tests; each uses topics and a group of its own.

    The embedded one, or Apache Kafka where STILLWATCH_TEST_BROKER names it.
    """
    address = os.environ.get("STILLWATCH_TEST_BROKER")
    if address:
        yield address
        return
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as embedded:
        yield embedded.address


@pytest.fixture
def fresh_topics(broker: str) -> Callable[..., StreamSettings]:
    """Makes topics that no other test uses, and settings that name them."""

    def make(**changes: object) -> StreamSettings:
        name = uuid.uuid4().hex[:12]
        names = {
            "api_calls_topic": f"calls-{name}",
            "rejected_topic": f"rejected-{name}",
            "signals_topic": f"signals-{name}",
            "incidents_topic": f"incidents-{name}",
        }
        settings = StreamSettings(**{"broker": broker, "group": f"group-{name}", **names, **changes})  # type: ignore[arg-type]
        assert ensure_topics(bootstrap_servers(broker), topic_specs(settings)) == []
        return settings

    return make
