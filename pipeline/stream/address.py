"""Where the broker is: `embedded`, or `kafka://host:9092[,host:9092]`."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

#: What a program leaves in the working folder; the embedded broker's discovery file among it.
HOME = Path(".stillwatch")
DISCOVERY_FILE = "broker.json"
DEFAULT_PORT = 9092


class BrokerAddressError(ValueError):
    """The address is not one of a broker; the text is one line."""


class BrokerNotRunningError(ConnectionError):
    """No broker answers at the address; the text is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A parsed address; `servers` is empty for the embedded broker, whose port is found in the discovery file."""

    servers: tuple[str, ...]

    @property
    def embedded(self) -> bool:
        """Whether the broker is the one that Stillwatch starts by itself."""
        return not self.servers

    def __str__(self) -> str:
        return "kafka://" + ",".join(self.servers) if self.servers else "embedded"


def parse_address(text: str) -> BrokerAddress:
    """Read an address; raises `BrokerAddressError`."""
    if text == "embedded":
        return BrokerAddress(())
    scheme, separator, rest = text.partition("://")
    if not separator or scheme != "kafka":
        raise BrokerAddressError(f"broker {text!r} is neither `embedded` nor kafka://host:9092[,host:9092]")
    servers = []
    for part in rest.split(","):
        host, _, port = part.rpartition(":") if ":" in part else (part, "", str(DEFAULT_PORT))
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise BrokerAddressError(f"broker {text!r}: {part!r} is not host:port")
        servers.append(f"{host}:{port}")
    return BrokerAddress(tuple(servers))


def bootstrap_servers(address: str | BrokerAddress, home: Path = HOME) -> list[str]:
    """The `host:port` list to give to a Kafka client.

    For `embedded` that of the running broker that `home` names; raises `BrokerNotRunningError` when there is none.
    """
    parsed = parse_address(address) if isinstance(address, str) else address
    if not parsed.embedded:
        return list(parsed.servers)
    found = discover(home)
    if found is None:
        raise BrokerNotRunningError(
            f"no embedded broker is running ({home / DISCOVERY_FILE} names none that answers): "
            "start `stillwatch worker` in this folder first, or give --broker kafka://host:9092"
        )
    return [found]


def discover(home: Path = HOME) -> str | None:
    """`host:port` of the embedded broker that `home` names, if its process lives and it answers."""
    try:
        entry = json.loads((home / DISCOVERY_FILE).read_text())
        pid, server = int(entry["pid"]), str(entry["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if _is_alive(pid) and answers(server) else None


def write_discovery(home: Path, pid: int, server: str) -> None:
    """Name the broker in `home`, atomically."""
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".{DISCOVERY_FILE}.{os.getpid()}"
    draft.write_text(json.dumps({"pid": pid, "address": server}) + "\n")
    draft.replace(home / DISCOVERY_FILE)


def remove_discovery(home: Path, pid: int) -> None:
    """Take the name away again, unless it is another broker's by now."""
    file = home / DISCOVERY_FILE
    try:
        if json.loads(file.read_text())["pid"] == pid:
            file.unlink()
    except (OSError, ValueError, KeyError, TypeError):
        return


def answers(server: str, timeout_s: float = 1.0) -> bool:
    """Whether something accepts connections at `host:port`."""
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port of loopback that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_broker(servers: Iterable[str], patience_s: float, say: Callable[[str], None]) -> None:
    """Return as soon as one of `servers` accepts connections; tried again with growing pauses for `patience_s`.

    `say` is given one line when there is something to wait for. Raises `BrokerNotRunningError`.
    """
    names = list(servers)
    began, pause, told = time.monotonic(), 0.25, False
    while not any(answers(server) for server in names):
        waited = time.monotonic() - began
        if waited >= patience_s:
            raise BrokerNotRunningError(
                f"no broker answers at {','.join(names)} after {waited:.0f} s: start it, or check --broker"
            )
        if not told:
            say(f"no broker answers at {','.join(names)}; trying for {patience_s:g} s")
            told = True
        time.sleep(min(pause, max(0.0, patience_s - waited)))
        pause = min(pause * 2, 5.0)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
