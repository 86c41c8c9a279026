"""The second stage: for each link value, which accounts used it lately; told on are values that few share.

Values are independent of each other, so any sharding of them over stages gives the same candidates.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.campaigns.candidates import Activity, Candidate, Link, link_of
from pipeline.campaigns.hours import HourGate, Passed
from pipeline.campaigns.sightings import Sightings, keys_of
from pipeline.features.links import RECENT_HOURS
from pipeline.features.signals import HourOfSignals, Signals
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
    """The latest hour of each account that used it, those of the oldest hours first."""
    told: bool = False
    popular_at: int = -_POPULAR_EVERY
    alike: bool = False
    """All of its users are known to be of one organisation."""

    def seen(self, now: dict[str, Activity]) -> None:
        """These accounts used it in a new hour."""
        for account in self.users.keys() & now.keys():
            del self.users[account]
        self.users.update(now)

    def forget(self, before: int) -> None:
        """Drop the users whose latest hour is before that one."""
        old = [name for name, _ in takewhile(lambda user: user[1].hour < before, self.users.items())]
        for name in old:
            del self.users[name]


class LinkStage:
    """The link values of one shard, heard from all partitions of `api-calls`."""

    def __init__(self, settings: CampaignSettings, sources: Iterable[int]) -> None:
        self._settings = settings
        self.gate: HourGate[HourOfSignals] = HourGate(sources)
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

    def _process(self, hour: int, parts: list[HourOfSignals], active: int) -> list[Candidate]:
        now: dict[Link, dict[str, Activity]] = {}
        if parts:
            links = [(part, part.signals.links) for part in parts]
            kinds = np.concatenate([of.kind[part.rows] for part, of in links])
            values = np.concatenate([of.value[part.rows] for part, of in links])
            accounts = np.concatenate([part.accounts[of.of[part.rows]] for part, of in links])
            shared = np.flatnonzero(self.sightings.see(keys_of(kinds, values), accounts, hour))
            ends = np.cumsum([part.rows.size for part in parts])
            for part, end, chosen in zip(
                parts, ends, np.split(shared, np.searchsorted(shared, ends[:-1])), strict=True
            ):
                if chosen.size:
                    _explode(part.signals, part.rows[chosen - end + part.rows.size], now)
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
        # Whoever used it before is looked at only where it must be: a link may have thousands of users in every hour.
        alike, shared.alike = shared.alike, False
        shared.seen(now)
        if hour < shared.popular_at + _POPULAR_EVERY:
            return []
        shared.forget(hour - RECENT_HOURS)
        users = shared.users
        kind, value = link >> 64, link & _VALUE_MASK
        if len(users) > popular_from(self._settings, active):
            shared.popular_at = hour
            popular = [Candidate(kind, value, [])] if shared.told else []
            shared.told = False
            return popular
        one = next(iter(users.values())).organisation
        shared.alike = all(other.organisation == one for other in (now if alike else users).values())
        if shared.alike:
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


def _explode(signals: Signals, rows: NDArray[np.int64], into: dict[Link, dict[str, Activity]]) -> None:
    links, hours = signals.links, signals.plain_hours()
    activities: dict[int, Activity] = {}
    for row, kind, value in zip(
        links.of[rows].tolist(), links.kind[rows].tolist(), links.value[rows].tolist(), strict=True
    ):
        activity = activities.get(row)
        if activity is None:
            activity = activities[row] = Activity(*hours[row])
        link = link_of(kind, value)
        users = into.get(link)
        if users is None:
            into[link] = {activity.account_id: activity}
        else:
            users[activity.account_id] = activity
