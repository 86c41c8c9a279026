"""The demo: a simulated December 2024 through broker, worker and store, all of it started and stopped here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.stream.address import free_port
from replay.errors import ReplayError
from replay.scenarios import generate
from replay.scenarios.write import write_events, write_labels

#: Only this machine: settings of a deployment in the environment must not send the demo's events there.
EMBEDDED = ("--broker", "embedded")
PROGRAM = (sys.executable, "-m", "replay")
READY_WITHIN_S = 120.0
#: Scoring is given up when nothing has moved for this long; the first batch may have to wait for loops to be compiled.
STALLED_AFTER_S = 120.0
_POLL_S = 0.25
_STOPPED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo keeps its files; everything in it is replaced by the next demo."""

    folder: Path

    @property
    def events(self) -> Path:
        """The simulated events."""
        return self.folder / "december-2024.jsonl"

    @property
    def labels(self) -> Path:
        """The truth about them."""
        return self.folder / "labels.csv"

    @property
    def store(self) -> Path:
        """ClickHouse's folder."""
        return self.folder / "store"

    @property
    def log(self) -> Path:
        """What the worker said."""
        return self.folder / "worker.log"

    def clear(self) -> None:
        """Begin with an empty folder. Raises `ReplayError` when it holds something else than an earlier demo."""
        if self.folder.exists():
            if not self.folder.is_dir():
                raise ReplayError(f"{self.folder} is no folder: give another --folder")
            if any(self.folder.iterdir()) and not self.events.exists():
                raise ReplayError(
                    f"{self.folder} holds something else than an earlier demo, and the demo would delete it: "
                    "give another --folder"
                )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the stream is."""

    scored: int
    incidents: int


def simulate(place: Place, *, accounts: int, days: int, seed: int, wrote: Callable[[int], None]) -> int:
    """Write events and labels; the number of events."""
    simulation = generate("late-2024", accounts=accounts, days=days, seed=seed)
    written = write_events(simulation.calls(), str(place.events), wrote)
    write_labels(simulation.labels, place.labels)
    return written


class Worker:
    """A worker process with its embedded broker and its page."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._port = free_port()
        self._log = place.log.open("wb")
        self._process = subprocess.Popen(
            [*PROGRAM, "worker", *EMBEDDED, "--web-port", str(self._port), "--store", f"chdb:{place.store.absolute()}"],
            cwd=place.folder,
            env=_environ(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def wait_until_ready(self) -> None:
        """Wait until it consumes. Raises `ReplayError` when it stopped or takes too long."""
        deadline = time.monotonic() + READY_WITHIN_S
        while self._page("health") is None:
            self.check()
            if time.monotonic() > deadline:
                raise ReplayError(f"the worker was not ready within {READY_WITHIN_S:.0f} s; see {self._place.log}")
            time.sleep(_POLL_S)

    def check(self) -> None:
        """Raises `ReplayError` with the worker's last line when it has stopped by itself."""
        code = self._process.poll()
        if code is not None:
            lines = self._place.log.read_text(errors="replace").strip().splitlines() or ["nothing was said"]
            raise ReplayError(f"the worker stopped with exit code {code}: {lines[-1]}")

    def progress(self) -> Progress:
        """What it has done so far, from its metrics."""
        numbers = {}
        for line in (self._page("metrics") or "").splitlines():
            name, _, value = line.rpartition(" ")
            if name and not line.startswith("#"):
                numbers[name] = float(value)
        return Progress(
            int(numbers.get("stillwatch_events_accepted_total", 0)),
            int(numbers.get("stillwatch_incidents_published_total", 0)),
        )

    def stop(self) -> None:
        """Let it drain, write and commit, as SIGTERM asks; returns when it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    def _page(self, name: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{name}", timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except (OSError, urllib.error.URLError):
            return None


@contextmanager
def running_worker(place: Place) -> Iterator[Worker]:
    """A worker that is ready; stopped at the end, whatever happens."""
    worker = Worker(place)
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.stop()


def stream(place: Place, worker: Worker, events: int, update: Callable[[int, Progress], None]) -> float:
    """Ingest the events and wait until all are scored; seconds from the first to the last.

    `update` gets the number of events sent, as far as known, and the worker's progress. Raises `ReplayError` when
    sending fails or scoring stops.
    """
    began = moved = time.monotonic()
    ingest = subprocess.Popen(
        [*PROGRAM, "ingest", *EMBEDDED, place.events.name, "--json"],
        cwd=place.folder,
        env=_environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    sent, last = 0, Progress(-1, 0)
    try:
        while last.scored < events:
            if sent == 0 and ingest.poll() is not None:
                sent = _sent(ingest)
                if sent != events:
                    raise ReplayError(f"{sent} of {events} events were sent; see {place.events}")
            worker.check()
            now = worker.progress()
            if now != last:
                moved = time.monotonic()
            elif time.monotonic() - moved > STALLED_AFTER_S:
                raise ReplayError(f"nothing was scored for {STALLED_AFTER_S:.0f} s; see {place.log}")
            last = now
            update(sent, now)
            time.sleep(_POLL_S)
    finally:
        if ingest.poll() is None:
            ingest.terminate()
        ingest.communicate()
    return time.monotonic() - began


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")}


def _sent(ingest: subprocess.Popen[str]) -> int:
    output, complaint = ingest.communicate()
    if ingest.returncode:
        raise ReplayError(
            f"ingest failed: {complaint.strip().splitlines()[-1] if complaint.strip() else 'no reason given'}"
        )
    accepted: int = msgspec.json.decode(output)["accepted"]
    return accepted
