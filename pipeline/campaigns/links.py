"""The second stage: for each link value, which accounts used it lately; told on are values that few share.

Values are independent of each other, so any sharding of them over stages gives the same candidates.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from pipeline.campaigns.candidates import Activity, Candidate, Link, link_of
from pipeline.campaigns.hours import HourGate, Passed
from pipeline.campaigns.sightings import Sightings, keys_of
from pipeline.event.hashing import hash_texts
from pipeline.features.links import RECENT_HOURS
from pipeline.features.signals import Signals
from pipeline.settings import CampaignSettings

#: Popular values need not be counted exactly; their old users are looked for once in so many hours.
_POPULAR_EVERY = 12
#: Hours between two looks for values that nobody uses any more.
_FORGET_EVERY = 24
#: As many times the smallest campaign are never many, however few accounts there are.
_FEW = 3
_VALUE_MASK = 0xFFFF_FFFF_FFFF_FFFF


class LinkedHour(msgspec.Struct, frozen=True, array_like=True):
    """The candidates of a complete hour, in the order of kinds and values, and the accounts active in all partitions."""

    hour: int
    active: int
    candidates: list[Candidate]


class SharedLink(msgspec.Struct, array_like=True):
    """A link that several accounts used lately."""

    users: dict[str, Activity]
    """The latest hour of each account that used it."""
    told: bool = False
    popular_at: int = -_POPULAR_EVERY


class LinkStage:
    """The link values of one shard, heard from all partitions of `api-calls`."""

    def __init__(self, settings: CampaignSettings, sources: Iterable[int]) -> None:
        self._settings = settings
        self.gate: HourGate[Signals] = HourGate(sources)
        self.sightings = Sightings()
        self.shared: dict[Link, SharedLink] = {}
        self.forgot_at = 0

    def hear(self, signals: Signals) -> list[LinkedHour]:
        """Take signals in; the hours that are complete with them."""
        for hour, part in signals.by_hour():
            self.gate.add(signals.partition, hour, part)
        closed = signals.closed
        self.gate.passed(signals.partition, map(Passed, closed.until.tolist(), closed.active.tolist()))
        return self.ready()

    def ready(self) -> list[LinkedHour]:
        """The hours that have become complete, which may also come of a source's being idle."""
        return [
            LinkedHour(hour, active, self._process(hour, parts, active)) for hour, parts, active in self.gate.ready()
        ]

    def _process(self, hour: int, parts: list[Signals], active: int) -> list[Candidate]:
        now: dict[Link, dict[str, Activity]] = {}
        if parts:
            seen = [
                (keys_of(part.links.kind, part.links.value), hash_texts(part.account_id)[part.links.of])
                for part in parts
            ]
            shared = self.sightings.see(
                np.concatenate([keys for keys, _ in seen]), np.concatenate([accounts for _, accounts in seen]), hour
            )
            ends = np.cumsum([keys.size for keys, _ in seen])[:-1]
            for part, chosen in zip(parts, np.split(shared, ends), strict=True):
                _explode(part.chosen(chosen), now)
        found = []
        for link in sorted(now):
            found += self._told(link, hour, now[link], active)
        if hour >= self.forgot_at + _FORGET_EVERY:
            self._forget(hour)
        return found

    def _told(self, link: Link, hour: int, now: dict[str, Activity], active: int) -> list[Candidate]:
        shared = self.shared.get(link)
        if shared is None:
            shared = self.shared[link] = SharedLink({})
        shared.users.update(now)
        if hour < shared.popular_at + _POPULAR_EVERY:
            return []
        users = shared.users
        oldest = min(users.values(), key=lambda one: one.hour).hour
        if hour - oldest > RECENT_HOURS:
            users = shared.users = {name: one for name, one in users.items() if hour - one.hour <= RECENT_HOURS}
        kind, value = link >> 64, link & _VALUE_MASK
        if len(users) > popular_from(self._settings, active):
            shared.popular_at = hour
            popular = [Candidate(kind, value, [])] if shared.told else []
            shared.told = False
            return popular
        one, *others = users.values()
        if all(other.organisation == one.organisation for other in others):
            return []
        told = now if shared.told else users
        shared.told = True
        return [Candidate(kind, value, [told[account] for account in sorted(told)])]

    def _forget(self, hour: int) -> None:
        self.forgot_at = hour
        self.sightings.forget(hour)
        kept = hour - RECENT_HOURS
        self.shared = {
            link: one for link, one in self.shared.items() if any(user.hour >= kept for user in one.users.values())
        }


def popular_from(settings: CampaignSettings, active: int) -> float:
    """A value with more users than this is popular among `active` accounts, and links nobody."""
    return max(settings.popular_share * active, _FEW * float(settings.minimum_members))


def _explode(part: Signals, into: dict[Link, dict[str, Activity]]) -> None:
    hours = part.hours
    names = ("org", "payment", "first_hour", "hour", "calls", "output_tokens", "templated", "minutes")
    activities = list(map(Activity, part.account_id, *(getattr(hours, name).tolist() for name in names)))
    links = part.links
    for of, kind, value in zip(links.of.tolist(), links.kind.tolist(), links.value.tolist(), strict=True):
        activity = activities[of]
        into.setdefault(link_of(kind, value), {})[activity.account_id] = activity
