"""Starts and stops the server of tests/clickhouse_http in a process of its own."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER = Path(__file__).parent / "clickhouse_http"
USER, PASSWORD = "writer", "s3cret:word"


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

    def faults_left(self) -> list[dict[str, Any]]:
        """Those that have not come true yet."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fixture/faults") as answer:
            left: list[dict[str, Any]] = json.loads(answer.read())
        return left

    def faults(self, *faults: dict[str, Any]) -> None:
        """Make the next matching requests go wrong; see tests/clickhouse_http."""
        body = json.dumps(faults).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fixture/faults", body).close()
