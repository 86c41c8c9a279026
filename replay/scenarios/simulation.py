"""A simulated incident: the calls in the order of time, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.event import ApiCall
from pipeline.store.records import Label
from replay.scenarios.calls import Stream, in_order


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a scenario makes."""

    streams: list[Stream]
    labels: list[Label]

    @property
    def events(self) -> int:
        """Number of calls."""
        return sum(int(stream.times.size) for stream in self.streams)

    def calls(self) -> Iterator[ApiCall]:
        """The calls by time."""
        return in_order(self.streams)
