"""Where the benchmark runs: events in a file, a broker, processes started and read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.event import encode
from pipeline.settings import StreamSettings
from pipeline.stream.embedded import EmbeddedBroker
from pipeline.stream.topics import ensure_topics, topic_specs
from replay.scenarios import generate

ACCOUNTS = 500
#: Calls that a simulated account makes in a day, rounded down so that enough are made.
CALLS_PER_DAY = 40
STILLWATCH = str(Path(sys.executable).with_name("stillwatch"))
TOPIC = "api-calls"
PATIENCE_S = 300


def write_events(path: Path, events: int) -> None:
    """The first `events` calls of the scenario late-2024, as JSON lines."""
    days = 2 + events // (ACCOUNTS * CALLS_PER_DAY)
    calls = generate("late-2024", accounts=ACCOUNTS, days=days, seed=1).calls()
    written = 0
    with path.open("wb") as file:
        for call in islice(calls, events):
            file.write(encode(call) + b"\n")
            written += 1
    if written < events:
        raise SystemExit(f"bench: the scenario made {written} events of {events}; raise its days in {__file__}")


def write_many_accounts(path: Path, events: int, accounts: int) -> None:
    """Those calls again, of `accounts` accounts in turn: each is active, none more than another, and a customer of its own."""
    with path.open("rb") as given:
        calls = [json.loads(line) for line in islice(given, events)]
    with path.with_suffix(".many").open("w") as file:
        for number, call in enumerate(calls):
            account = number % accounts
            own = {name: f"{name}-{account}" for name in ("org_id", "project_id", "payment_id", "api_key_id")}
            place = f"{11 + (account >> 16)}.{account >> 8 & 255}.{account & 255}.7"
            file.write(json.dumps({**call, **own, "account_id": f"account-{account}", "client_ip": place}) + "\n")


@contextmanager
def broker(home: Path, address: str | None) -> Iterator[str]:
    """`host:port` of an empty broker: the embedded one, started for this, or Apache Kafka at `address`."""
    own = None if address else EmbeddedBroker(home, register=False)
    server = own.start() if own else str(address)
    try:
        ensure_topics([server], topic_specs(StreamSettings()))
        yield server
    finally:
        if own:
            own.stop()


def measured(module: str, *arguments: object) -> dict[str, Any]:
    """Run a module that prints one JSON object as its last line; {"error": ...} when it fails."""
    command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        # Some of them write terminal codes before it.
        line = done.stdout.strip().splitlines()[-1]
        result: dict[str, Any] = json.loads(line[line.index("{") :])
    except subprocess.TimeoutExpired:
        return {"error": f"not done within {PATIENCE_S} s"}
    except (IndexError, ValueError):
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}
    return result
