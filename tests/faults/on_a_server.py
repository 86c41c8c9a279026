"""Deployments whose workers share a ClickHouse server, so that there can be several."""

import os
import signal
import subprocess
import uuid
from pathlib import Path

from clickhouse_fixture import ClickHouseServer

from pipeline.store.client import connect
from pipeline.store.migrate import migrate
from tests.faults.test_stream_worker import Deployment


class OnServer(Deployment):
    """Topics, a group and a database of its own; `workers` and `ports` are of those that run, in the order of their start."""

    def __init__(self, broker: str, folder: Path, server: ClickHouseServer) -> None:
        super().__init__(broker, folder)
        os.environ.update(server.environ)
        self.store = server.address(f"d{uuid.uuid4().hex[:8]}")
        self.ports: list[int] = []
        with connect(self.store) as store:
            migrate(store)

    def start(self, *options: str) -> None:
        super().start(*options)
        self.ports.append(self.port)

    def end_one(self, index: int, number: int) -> int:
        """End one of the workers."""
        worker: subprocess.Popen[bytes] = self.workers.pop(index)
        del self.ports[index]
        worker.send_signal(signal.Signals(number))
        code = worker.wait(90)
        if self.ports:
            self.port = self.ports[-1]
        return code
