"""SQL while a worker streams: every client finds it, what it reads grows, and the worker goes on as ever."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import clickhouse_connect
import pytest

from pipeline.store.address import parse_address
from pipeline.store.held import http_address
from tests.faults.test_stream_worker import PROGRAM, Deployment, received

pytestmark = pytest.mark.broker
COUNT = "SELECT count() FROM api_calls"


@pytest.fixture(scope="module")
def streaming(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker that has taken in some events, and the HTTP interface of the store it holds."""
    made = Deployment(broker, tmp_path_factory.mktemp("streaming"))
    made.start("--set", "store.http_max_seconds=2")
    made.send(range(1000))
    made.until(lambda: received(made) >= 1000)
    yield made
    made.close()


def place(deployment: Deployment) -> tuple[str, int]:
    folder = parse_address(deployment.store).folder
    assert folder is not None
    found = http_address(folder)
    assert found is not None, deployment.log()
    return found


def stillwatch(deployment: Deployment, *arguments: str) -> str:
    command = [sys.executable, "-c", PROGRAM, *arguments, "--store", deployment.store]
    done = subprocess.run(command, capture_output=True, text=True, cwd=deployment.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_client_asks_while_events_come_in(streaming: Deployment) -> None:
    host, port = place(streaming)
    assert f"http://{host}:{port}" in streaming.log()
    client = clickhouse_connect.get_client(host=host, port=port)
    streaming.until(lambda: int(client.command(COUNT)) >= 1000)
    streaming.send(range(1000, 3000))
    streaming.until(lambda: int(client.command(COUNT)) == 3000)
    assert json.loads(stillwatch(streaming, "sql", COUNT, "--json")) == {"count()": 3000}
    if curl := shutil.which("curl"):
        asked = [curl, "-sS", "--compressed", f"http://{host}:{port}/", "--data-binary", f"{COUNT} FORMAT CSV"]
        assert subprocess.run(asked, capture_output=True, text=True).stdout == "3000\n"


def test_a_label_reaches_the_store_of_a_worker_at_work(streaming: Deployment) -> None:
    stillwatch(streaming, "label", "acct-7", "--kind", "honest", "--from", "2024-12-01", "--to", "2024-12-02")
    found = stillwatch(streaming, "sql", "SELECT account_id, kind FROM labels", "--format", "CSV")
    assert '"acct-7","honest"' in found


def test_runaway_queries_hold_up_neither_inserts_nor_the_end(streaming: Deployment) -> None:
    host, port = place(streaming)
    before = received(streaming)
    forever = "SELECT count() FROM numbers(1000000000000)"
    command = [sys.executable, "-c", PROGRAM, "sql", forever, "--max-seconds", "0", "--store", streaming.store]
    asking = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=streaming.folder)
    others = [threading.Thread(target=ask_badly, args=(host, port, forever)) for _ in range(3)]
    for one in others:
        one.start()
    streaming.send(range(3000, 4000))
    client = clickhouse_connect.get_client(host=host, port=port)
    streaming.until(lambda: int(client.command(COUNT)) >= before + 1000)
    assert b"store.http_max_seconds" in asking.communicate(timeout=60)[1]
    assert asking.returncode == 1
    threading.Thread(target=ask_badly, args=(host, port, forever), daemon=True).start()
    assert streaming.end(signal.SIGTERM) == 0, streaming.log()
    for one in others:
        one.join()


def ask_badly(host: str, port: int, sql: str) -> None:
    with suppress(OSError):
        urllib.request.urlopen(f"http://{host}:{port}/", sql.encode(), timeout=60).close()
