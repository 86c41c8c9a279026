"""How the stream is: what its worker says, remembered for an hour, and what the tables tell."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import aiohttp
import msgspec

_EVERY_S = 5.0
_REMEMBERED = 720
_WITHIN = aiohttp.ClientTimeout(total=3.0)
_MOST_BYTES = 1 << 20
#: The worker's metrics that are remembered, and how they are called here.
_FOLLOWED = {
    "stillwatch_lag_records": "lag",
    "stillwatch_events_accepted_total": "accepted",
    "stillwatch_events_rejected_total": "rejected",
    "stillwatch_checkpoint_age_seconds": "checkpoint_age_s",
    "stillwatch_rows_waiting": "rows_waiting",
    "stillwatch_accounts": "accounts",
}


class StreamHealth:
    """Asks a worker's page every few seconds; what it said in the latest hour is remembered."""

    def __init__(self, worker: str) -> None:
        self.worker = worker.rstrip("/")
        self.report: dict[str, Any] | None = None
        self.problem = "not asked yet"
        self.history: deque[dict[str, float]] = deque(maxlen=_REMEMBERED)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        if self.worker:
            self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        async with aiohttp.ClientSession(timeout=_WITHIN) as session:
            while True:
                await self.ask(session)
                await asyncio.sleep(_EVERY_S)

    async def ask(self, session: aiohttp.ClientSession) -> None:
        """Ask once; what goes wrong is one line in `problem`."""
        try:
            self.report = msgspec.json.decode(await _text(session, f"{self.worker}/health"), type=dict[str, Any])
            sums = sums_by_name(await _text(session, f"{self.worker}/metrics"))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self.report = None
            kind = type(error).__name__
            self.problem = f"no worker answers at {self.worker} ({kind}): start one, or name its page with --worker"
            return
        self.problem = ""
        said = {ours: sums[theirs] for theirs, ours in _FOLLOWED.items() if theirs in sums}
        self.history.append({"t": time.time() * 1000, **said})


async def _text(session: aiohttp.ClientSession, url: str) -> str:
    # The worker's address is the operator's; where it points to is not followed any further.
    async with session.get(url, allow_redirects=False) as response:
        body = await response.content.read(_MOST_BYTES)
        if response.status not in (200, 503):
            raise ValueError(f"status {response.status}")
        return body.decode("utf-8", "replace")


def sums_by_name(text: str) -> dict[str, float]:
    """The metrics in Prometheus' text format, each summed over its labels.

    >>> sums_by_name('# HELP a b\\na{p="0"} 1\\na{p="1"} 2.5\\n')
    {'a': 3.5}
    """
    sums: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if line.startswith("#") or not name:
            continue
        try:
            number = float(value)
        except ValueError:
            continue
        bare = name.partition("{")[0]
        sums[bare] = sums.get(bare, 0.0) + number
    return sums
