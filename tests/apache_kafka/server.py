"""Apache Kafka itself, for tests: one KRaft node on free loopback ports, from the jars that `.ci/kafka/pom.xml` names.

    python tests/apache_kafka/server.py COMMAND [ARGUMENT...]

runs COMMAND with `STILLWATCH_TEST_BROKER` set to a broker of its own, and exits with its code. Java 17 and Maven must be
there; the jars are kept in `STILLWATCH_KAFKA_JARS`, or in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

POM = Path(__file__).parents[2] / ".ci" / "kafka" / "pom.xml"
READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0
#: Where the heap of a broker for tests ends.
HEAP = "-Xmx512m"


def jars() -> Path:
    """The folder with Kafka's jars, filled by Maven when it is not there yet for this version of the pom."""
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("STILLWATCH_KAFKA_JARS") or cache / "stillwatch" / f"kafka-{version}")
    if not (folder / ".complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        copy = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
        subprocess.run(copy, check=True, stdin=subprocess.DEVNULL)
        (folder / ".complete").touch()
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ApacheKafka:
    """One node, broker and controller in one. `stop` and `start` keep the data and the ports; `close` removes the data."""

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        *,
        listeners: Sequence[str] = (),
        scram: Mapping[str, str] | None = None,
    ) -> None:
        """`listeners` has further ones, `PROTOCOL://127.0.0.1:PORT`; `scram` the passwords of users, by name."""
        self.folder = Path(tempfile.mkdtemp(prefix="stillwatch-kafka-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._classpath = f"{jars()}/*"
        controller = free_port()
        open_to_all = f"PLAINTEXT://127.0.0.1:{self.port}"
        protocols = [one.partition("://")[0] for one in listeners]
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join((open_to_all, f"CONTROLLER://127.0.0.1:{controller}", *listeners)),
            "advertised.listeners": ",".join((open_to_all, *listeners)),
            "listener.security.protocol.map": ",".join(
                ("PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *(f"{one}:{one}" for one in protocols))
            ),
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            **(properties or {}),
        }
        self._properties = self.folder / "server.properties"
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        cluster = self._java("kafka.tools.StorageTool", "random-uuid").strip().splitlines()[-1]
        users = [
            f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]" for name, password in (scram or {}).items()
        ]
        self._java(
            "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties), "--standalone", *users
        )

    @property
    def address(self) -> str:
        """As `--broker` takes it."""
        return f"kafka://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the node printed."""
        return self.folder / "kafka.log"

    def start(self) -> None:
        """Start the node and wait until it answers a client."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(), "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
                self.stop()
                raise RuntimeError(f"Apache Kafka did not start:\n{tail}")
            time.sleep(0.2)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """Stop the node; its data stays. `SIGKILL` is how a machine dies."""
        if self._process is None:
            return
        self._process.send_signal(sign)
        try:
            self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop the node and remove its data."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> ApacheKafka:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self) -> list[str]:
        return ["java", HEAP, "-Dorg.apache.logging.log4j.level=WARN", "-cp", self._classpath]

    def _java(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command(), *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _answers(self) -> bool:
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                pass
            admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{self.port}", request_timeout_ms=5000)
        except (OSError, KafkaError):
            return False
        try:
            admin.list_topics()
        except KafkaError:
            return False
        finally:
            admin.close()
        return True


def main(command: list[str]) -> int:
    """Run `command` beside a broker; its exit code."""
    if not command:
        print("usage: server.py COMMAND [ARGUMENT...]", file=sys.stderr)
        return 2
    began = time.monotonic()
    with ApacheKafka() as kafka:
        print(f"Apache Kafka at {kafka.address}, ready after {time.monotonic() - began:.1f} s", flush=True)
        environ = {**os.environ, "STILLWATCH_TEST_BROKER": kafka.address}
        return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
