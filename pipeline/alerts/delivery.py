"""Sending a message until it has arrived, is refused for good, or has been tried for long enough."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.alerts.pace import Message

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0


class TryAgainError(Exception):
    """The message has not arrived, as far as known, and may if it is sent again; the text says why, without secrets."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        """`after_s`: seconds after which the target asks to be tried again."""
        super().__init__(reason)
        self.after_s = after_s


class RefusedError(Exception):
    """The target will not take this message however often it is sent; the text says why, without secrets."""


class Sender(Protocol):
    """One target, as a message is sent to it."""

    async def send(self, message: Message) -> None:
        """Send once. Raises `TryAgainError` or `RefusedError`."""

    async def close(self) -> None:
        """Give up connections."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the sending of a message ended."""

    arrived: bool
    attempts: int
    reason: str = ""


async def deliver(
    message: Message,
    sender: Sender,
    retry_max_s: float,
    *,
    failed: Callable[[str], None] = lambda reason: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Send `message`, with pauses that double from a second to five minutes, each shortened by up to a half by chance.

    So many senders that fail together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
    `failed` hears of the first failure.
    """
    began, pause, attempts = clock(), FIRST_PAUSE_S, 0
    while True:
        attempts += 1
        try:
            await sender.send(message)
            return Outcome(True, attempts)
        except RefusedError as error:
            return Outcome(False, attempts, str(error))
        except TryAgainError as error:
            wait = min(max(pause * random.uniform(0.5, 1.0), error.after_s or 0.0), LONGEST_PAUSE_S)
            if clock() + wait - began > retry_max_s:
                return Outcome(False, attempts, f"{error}; given up after {attempts} attempts")
            if attempts == 1:
                failed(str(error))
        await sleep(wait)
        pause = min(pause * 2, LONGEST_PAUSE_S)
