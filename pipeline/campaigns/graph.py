"""Accounts and the rare links they share: what is known of both, and forgotten when it was not used lately."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import msgspec

from pipeline.campaigns.candidates import Activity, Candidate, Link
from pipeline.features.links import RECENT_HOURS


class Account(msgspec.Struct, array_like=True):
    """An account that shares something rare."""

    latest: Activity
    links: dict[Link, int]
    """The hour in which each link was used last."""
    past: dict[int, Activity]
    """Its latest hours, those of the last two days."""

    def recent(self, since: int) -> list[Activity]:
        """Its hours from `since` on, oldest first."""
        return [one for hour, one in self.past.items() if hour >= since]


class LinkGraph:
    """A graph of two sorts of nodes: accounts, and links that few of the active accounts have."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.users: dict[Link, dict[str, int]] = {}
        """Of each link, the accounts and the hours of their latest use."""
        self.active = 0
        """Accounts that were active lately, in all."""
        self.pairs: dict[int, int] = {}

    def update(self, hour: int, active: int, candidates: Iterable[Candidate]) -> list[Link]:
        """Take an hour's candidates in; the links that were used in it."""
        self.active = active
        used = []
        for candidate in candidates:
            link = candidate.link
            if not candidate.users:
                self._drop(link)
                continue
            users = self.users.setdefault(link, {})
            for activity in candidate.users:
                account = self.accounts.get(activity.account_id)
                if account is None:
                    account = self.accounts[activity.account_id] = Account(activity, {}, {})
                if activity.hour >= account.latest.hour:
                    account.latest = activity
                account.links[link] = max(activity.hour, account.links.get(link, 0))
                users[activity.account_id] = account.links[link]
                account.past[activity.hour] = activity
            used.append(link)
            self._expire(link, hour)
        return used

    def rarity(self, link: Link) -> float:
        """Nats: minus the logarithm of the share of active accounts that use the link; at least 0."""
        return max(0.0, math.log(max(self.active, 1) / max(1, len(self.users.get(link, ())))))

    def forget(self, hour: int) -> None:
        """Drop what was not used lately, and measure anew how often two accounts share something by chance."""
        since = hour - RECENT_HOURS
        for link in list(self.users):
            self._expire(link, hour)
        for name, account in list(self.accounts.items()):
            if next(iter(account.past)) < since:
                account.past = {at: one for at, one in account.past.items() if at >= since}
            if account.latest.hour < since or not account.links:
                for link in account.links:
                    self.users.get(link, {}).pop(name, None)
                del self.accounts[name]
        self.measure()

    def measure(self) -> None:
        """Measure anew how often two accounts share a link of each kind."""
        pairs: Counter[int] = Counter()
        for link, users in self.users.items():
            organisations = len({self.accounts[name].latest.organisation for name in users})
            pairs[link >> 64] += organisations * (organisations - 1)
        self.pairs = dict(pairs)

    def chance(self, kinds: Iterable[int], accounts: int) -> float:
        """How many links of the kinds some of `accounts` would be expected to share if they were any accounts."""
        pairs = accounts * (accounts - 1) / 2.0
        shared = sum(self.pairs.get(kind, 0) for kind in kinds)
        return pairs * shared / max(1.0, self.active * (self.active - 1.0))

    def _expire(self, link: Link, hour: int) -> None:
        users = self.users[link]
        since = hour - RECENT_HOURS
        gone = [name for name, used in users.items() if used < since]
        for name in gone:
            del users[name]
            if name in self.accounts:
                self.accounts[name].links.pop(link, None)
        if not users:
            del self.users[link]

    def _drop(self, link: Link) -> None:
        for name in self.users.pop(link, {}):
            if name in self.accounts:
                self.accounts[name].links.pop(link, None)
