"""The time in a partition that has nothing to read: it goes on at the speed of the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable


class Silence:
    """How long a partition has been silent, and what event time it is in it meanwhile.

    Silence begins when all that the broker has was read. Once it has lasted for `idle_s` seconds, event time is that of the
    newest event and the silence since. So in a live stream windows close as late behind the wall clock as events came, and in
    a history that was read to its end time goes on from there, not from today. A broker that does not answer is no silence:
    what it will tell is not known, and the count begins anew. With `idle_s` 0 time passes with events only.
    """

    def __init__(self, idle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle_s = idle_s
        self._clock = clock
        self._since: float | None = None
        self._next_offset = -1
        self._event_ms = 0

    def look(self, next_offset: int, event_ms: int, *, at_end: bool) -> int | None:
        """The event time in epoch milliseconds that silence has brought; None as long as there is none to speak of.

        To be called every second or so: the partition is read up to `next_offset`, its event time has come to `event_ms`, and
        the broker has nothing more (`at_end`).
        """
        now = self._clock()
        if not at_end:
            self._since = None
        elif self._since is None or next_offset != self._next_offset:
            self._since, self._next_offset, self._event_ms = now, next_offset, event_ms
        elif self._idle_s and now - self._since >= self._idle_s:
            return self._event_ms + int((now - self._since) * 1000)
        return None

    @property
    def seconds(self) -> float:
        """How long there has been nothing to read; 0 while there is, or while nobody can tell."""
        return 0.0 if self._since is None else self._clock() - self._since
