"""Event hours that become complete once every source has passed them: what makes the order of arrival irrelevant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Passed(msgspec.Struct, frozen=True, array_like=True):
    """A source has told all it has to tell of the hours before `until`; it had `active` accounts then."""

    until: int
    active: int


class HourGate(Generic[T]):
    """Holds what `sources` tell of each hour back until all of them have passed the hour.

    An idle source is not waited for until it tells something again. What comes for an hour that was given out already is
    counted in `late` and dropped: when sources are never idle, there is none but repetitions.
    """

    def __init__(self, sources: Iterable[int]) -> None:
        self.sources = tuple(sorted(sources))
        self.idle: set[int] = set()
        self.next_hour = -1
        """The next hour to be given out; -1 before the first."""
        self.late = 0
        self.known: dict[int, list[Passed]] = {}
        self.waiting: dict[int, list[T]] = {}

    def add(self, source: int, hour: int, item: T) -> None:
        """Hold `item` of `hour`."""
        self.idle.discard(source)
        if hour < self.next_hour:
            self.late += 1
        else:
            self.waiting.setdefault(hour, []).append(item)

    def passed(self, source: int, hours: Iterable[Passed]) -> None:
        """The source has passed these hours, in order; hearing it again changes nothing."""
        known = self.known.setdefault(source, [])
        for one in hours:
            if not known or one.until > known[-1].until:
                known.append(one)
                self.idle.discard(source)

    def rest(self) -> None:
        """No source that has told nothing yet is waited for any longer."""
        self.idle.update(source for source in self.sources if not self.known.get(source))

    def ready(self) -> Iterator[tuple[int, list[T], int]]:
        """Each complete hour once, in order, with what was told of it and the accounts active then; also empty hours."""
        bound = self.bound
        if self.next_hour < 0 <= bound:
            # Nothing comes any more for hours before the bound, so the first of them with anything is known.
            self.next_hour = min([hour for hour in self.waiting if hour < bound], default=max(0, bound - 1))
        while 0 <= self.next_hour < bound:
            hour = self.next_hour
            if not self.waiting:
                # Nothing will come for the hours up to the bound, and nothing can happen in them but the passing of time.
                hour = bound - 1
            self.next_hour = hour + 1
            yield hour, self.waiting.pop(hour, []), self._active(hour)

    @property
    def bound(self) -> int:
        """Hours before this one are complete; -1 when some source is yet to be heard of."""
        waited = [source for source in self.sources if source not in self.idle]
        if not waited or any(not self.known.get(source) for source in waited):
            return -1
        return min(self.known[source][-1].until for source in waited)

    def blocked_by(self) -> frozenset[int]:
        """The sources that are waited for while others have passed a later hour."""
        furthest = max((known[-1].until for known in self.known.values() if known), default=-1)
        reached = {source: known[-1].until for source, known in self.known.items() if known}
        waited = (source for source in self.sources if source not in self.idle)
        return frozenset(source for source in waited if reached.get(source, -1) < furthest)

    def _active(self, hour: int) -> int:
        total = 0
        for known in self.known.values():
            at = bisect_right(known, hour, key=lambda one: one.until)
            total += known[min(at, len(known) - 1)].active
            del known[: max(0, min(at, len(known) - 1))]
        return total
