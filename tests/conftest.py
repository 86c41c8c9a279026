"""What all tests share: markers, and stores to write to, embedded and over HTTP."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_fixture import ClickHouseServer

from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate

_databases = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that talks to a broker, so that `.ci/run` can run it again against Apache Kafka itself."""
    for item in items:
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
