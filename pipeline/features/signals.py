"""What the engine tells campaigns: account-hours, the link values used in them, and which hours are complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.event.hashing import hash_texts
from pipeline.features.links import AccountHours, ClosedHours, Links

#: Columns of account-hours in the order in which campaigns keep them.
PLAIN_HOURS = ("org", "payment", "first_hour", "hour", "calls", "output_tokens", "templated", "minutes")


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of one partition, in the order in which hours ended; facts, so that hearing them twice changes nothing."""

    partition: int
    account_id: Sequence[str]
    """(M,)"""
    hours: AccountHours
    links: Links
    closed: ClosedHours
    _plain: list[tuple[Any, ...]] = field(default_factory=list, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.account_id)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not len(self) and not self.closed.until.size

    def plain_hours(self) -> Sequence[tuple[Any, ...]]:
        """The account-hours as rows of the account's id and the columns of `PLAIN_HOURS`; made when first asked for."""
        if not self._plain:
            self._plain.extend(
                zip(self.account_id, *(getattr(self.hours, name).tolist() for name in PLAIN_HOURS), strict=True)
            )
        return self._plain

    def chosen(self, links: NDArray[np.bool_] | NDArray[np.int64], *, closed: bool = True) -> Signals:
        """Those of `links`, and the account-hours they belong to."""
        of = self.links.of[links]
        used = np.zeros(len(self), np.bool_)
        used[of] = True
        rows, at = np.flatnonzero(used), (np.cumsum(used) - 1)[of]
        hours = AccountHours(*(getattr(self.hours, name)[rows] for name in AccountHours.__dataclass_fields__))
        none = np.empty(0, np.int64)
        return Signals(
            self.partition,
            [self.account_id[row] for row in rows.tolist()],
            hours,
            Links(at, self.links.kind[links], self.links.value[links]),
            self.closed if closed else ClosedHours(none, none),
        )

    def by_hour(self) -> Iterator[tuple[int, HourOfSignals]]:
        """The same, hour by hour, without the closed hours."""
        if not self.links.of.size:
            return
        accounts = hash_texts(self.account_id)
        of_links = self.hours.hour[self.links.of]
        order = np.argsort(of_links, kind="stable")
        found, begins = np.unique(of_links[order], return_index=True)
        for hour, rows in zip(found.tolist(), np.split(order, begins[1:]), strict=True):
            yield hour, HourOfSignals(self, rows, accounts)


@dataclass(frozen=True, slots=True)
class HourOfSignals:
    """The links of one hour among signals: `rows` (R,) of them, and hashes of the accounts (M,). Looked up when needed."""

    signals: Signals
    rows: NDArray[np.int64]
    accounts: NDArray[np.uint64]


def whole(parts: Sequence[HourOfSignals]) -> Signals:
    """The links of these hours of the same signals, and the account-hours they belong to."""
    rows = np.sort(np.concatenate([part.rows for part in parts]))
    return parts[0].signals.chosen(rows, closed=False)
