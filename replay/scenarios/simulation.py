"""A simulation: the calls in the order of time, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from pipeline.event import ApiCall
from pipeline.store.records import Label
from replay.scenarios.calls import Stream
from replay.scenarios.identity import Identity
from replay.scenarios.rhythm import Times
from replay.scenarios.rows import in_order


@dataclass(frozen=True, slots=True)
class Part:
    """What is made at once, one account's streams or one group's, and what is true of them."""

    streams: list[Stream]
    labels: list[Label] = field(default_factory=list)


def label_of(identity: Identity, times: Times, kind: str, *, campaign: str = "", note: str = "") -> Label:
    """What is true of an account: from the first to the last of `times`, which are not empty."""
    return Label(
        account_id=identity.account_id,
        start=int(times[0]),
        end=int(times[-1]),
        kind=kind,
        campaign_id=campaign,
        note=f"{times.size} calls" + (f"; {note}" if note else ""),
    )


def noted(label: Label, note: str) -> Label:
    """The same label with a further note."""
    return msgspec.structs.replace(label, note=f"{label.note}; {note}")


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a scenario makes, in memory."""

    streams: list[Stream]
    labels: list[Label]

    @property
    def events(self) -> int:
        """Number of calls."""
        return sum(int(stream.times.size) for stream in self.streams)

    def calls(self) -> Iterator[ApiCall]:
        """The calls by time."""
        return in_order(self.streams)
