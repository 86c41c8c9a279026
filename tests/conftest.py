"""Fixtures of several rooms: stores to write to, embedded and over HTTP."""

import itertools
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate

SERVER = Path(__file__).parent / "clickhouse_http"
USER, PASSWORD = "writer", "s3cret:word"
_databases = itertools.count()


@dataclass
class ClickHouseServer:
    """The HTTP fixture in a process of its own; `port` stays over `stop` and `start`."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {"STILLWATCH_STORE_PASSWORD": PASSWORD}

    def address(self, database: str) -> str:
        return f"clickhouse://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        command = [sys.executable, str(SERVER), str(self.folder), "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--user", f"{USER}:{PASSWORD}"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def faults(self, *faults: dict[str, Any]) -> None:
        """Make the next matching requests go wrong; see tests/clickhouse_http."""
        body = json.dumps(faults).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fixture/faults", body).close()


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
