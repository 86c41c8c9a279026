"""Which evidence is not to open an incident: of whose hours, of which kinds, until when, and up to how much."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import translate

import msgspec

from pipeline.settings import SuppressionSettings

_PATTERN = re.compile(r"[*?\[]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Suppression(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Hours of accounts that open no incident. Times are of events, in epoch milliseconds."""

    account: str
    """A pattern as in file names, case as it stands: `*` any characters, `?` one, `[ab]` one of them."""
    since: int = 0
    """Hours that begin earlier are judged as ever."""
    until: int
    """So are those that begin at this time or later: nothing is suppressed for good."""
    kinds: tuple[str, ...] = ()
    """Kinds of incidents; all when empty."""
    above: float
    """Evidence from here on, ln(1 + odds) of extraction, opens an incident all the same."""
    note: str = ""
    """Why, in words."""

    @property
    def name(self) -> str:
        """Whose and why, in one line."""
        return f"{self.account} ({self.note})" if self.note else self.account

    def covers(self, start: int, evidence: float) -> bool:
        """Whether it is about an hour that begins at `start` and shows so much evidence."""
        return self.since <= start < self.until and evidence < self.above


class Suppressions:
    """All that are in force; which of them is found does not depend on the order they were given in."""

    def __init__(self, listed: Iterable[Suppression] = ()) -> None:
        self._of_one: dict[str, list[Suppression]] = {}
        self._of_many: list[tuple[re.Pattern[str], Suppression]] = []
        for one in sorted(set(listed)):
            if _PATTERN.search(one.account):
                self._of_many.append((re.compile(translate(one.account)), one))
            else:
                self._of_one.setdefault(one.account, []).append(one)

    def find(self, account_id: str, start: int, evidence: float, kind: Callable[[], str]) -> Suppression | None:
        """The first that suppresses an account's hour; `kind` is asked for only where one is about some kinds."""
        for one in self._of_one.get(account_id, ()):
            if one.covers(start, evidence) and (not one.kinds or kind() in one.kinds):
                return one
        for pattern, one in self._of_many:
            if one.covers(start, evidence) and pattern.match(account_id) and (not one.kinds or kind() in one.kinds):
                return one
        return None


def of_settings(listed: Iterable[SuppressionSettings]) -> list[Suppression]:
    """The suppressions that the settings name."""
    return [
        Suppression(
            account=one.account,
            since=0 if one.since is None else _milliseconds(one.since),
            until=_milliseconds(one.until),
            kinds=tuple(sorted(set(one.kinds))),
            above=one.above,
            note=one.note,
        )
        for one in listed
    ]


def to_settings(listed: Iterable[Suppression]) -> tuple[SuppressionSettings, ...]:
    """The same as settings, for a run that is to say what it was given."""
    return tuple(
        msgspec.convert(
            {
                "account": one.account,
                "since": _moment(one.since) if one.since else None,
                "until": _moment(one.until),
                "kinds": one.kinds,
                "above": one.above,
                "note": one.note,
            },
            SuppressionSettings,
        )
        for one in listed
    )


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
