"""Which account has which slot, and which events were counted before."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.event.hashing import mix
from pipeline.state import Saved

_CURRENT, _USED, _SINCE = 0, 1, 2


class AccountSlots:
    """Slots for accounts, given out in the order of their first events.

    Accounts are looked up by Python's 64-bit hash of their ids (SipHash under a key of the process, so nobody can choose ids
    that collide) in a table with open addressing: a dictionary of a million ids costs four reads of memory far apart, this
    one. Two of a million accounts share a hash with a probability of 3e-8.
    """

    def __init__(self) -> None:
        self.account_of: list[str] = []
        # Hash and slot + 1 of each entry; 0 marks a free one.
        self._table = np.zeros((2048, 2), np.int64)

    def __len__(self) -> int:
        return len(self.account_of)

    def of(self, account_ids: Sequence[str]) -> NDArray[np.int64]:
        """The slot of each account; new accounts get the next ones."""
        count = len(account_ids)
        self._make_room(len(self) + count)
        slots = np.empty(count, np.int64)
        hashes = np.fromiter(map(hash, account_ids), np.int64, count)
        for index in _find_or_add(self._table, hashes, len(self), slots).tolist():
            self.account_of.append(account_ids[index])
        return slots

    def _make_room(self, accounts: int) -> None:
        size = self._table.shape[0]
        if 2 * accounts <= size:
            return
        while size < 2 * accounts:
            size *= 2
        grown = np.zeros((size, 2), np.int64)
        _add_all(grown, self._table)
        self._table = grown


class RecentIdentities:
    """The identities of recent events, in two generations of hash tables with open addressing.

    A generation ends after `events` identities or `span_ms` of event time; the one before it is then forgotten. So an identity
    is recognised for at least one generation. A 64-bit hash stands for an identity: among 10^7 remembered ones, a
    new event is taken for a known one with a probability of 5e-13.
    """

    def __init__(self, events: int, span_ms: int) -> None:
        self._events = events
        self._span_ms = span_ms
        self._tables = np.zeros((2, 2048), np.uint64)
        self._status = np.zeros(3, np.int64)
        self._new: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] | None = None

    def duplicates(self, identity: NDArray[np.uint64], ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the events, in order, were counted before; the others are remembered."""
        self._make_room(identity.size)
        duplicate = np.zeros(identity.size, np.bool_)
        _mark(identity, ts, self._tables, self._status, self._events, self._span_ms, duplicate)
        if self._new is not None:
            self._new.append((identity, ts))
        return duplicate

    def save(self, *, whole: bool) -> Saved:
        """All that is remembered, or what was since it was last saved; the first must be whole."""
        new, self._new = self._new, []
        if not whole:
            assert new is not None
            identities, times = zip(*new, strict=True) if new else ((), ())
            return Saved(
                shared={
                    "identity": np.concatenate([np.empty(0, np.uint64), *identities]),
                    "ts": np.concatenate([np.empty(0, np.int64), *times]),
                }
            )
        current = self._tables[self._status[_CURRENT]]
        before = self._tables[1 - self._status[_CURRENT]]
        return Saved(
            shared={
                "current": current[current != 0],
                "before": before[before != 0],
                "since": self._status[_SINCE : _SINCE + 1].copy(),
            }
        )

    def load(self, saved: Saved) -> None:
        """Put back what `save` gave: the whole, or what came after the one put back before."""
        if "identity" in saved.shared:
            self.duplicates(saved.shared["identity"].astype(np.uint64), saved.shared["ts"].astype(np.int64))
            return
        current, before = (saved.shared[name].astype(np.uint64) for name in ("current", "before"))
        size = 2048
        while size < 2 * max(current.size, before.size):
            size *= 2
        self._tables = np.zeros((2, size), np.uint64)
        _insert_all(self._tables[0], current)
        _insert_all(self._tables[1], before)
        self._status[:] = (0, current.size, saved.shared["since"][0])

    def _make_room(self, count: int) -> None:
        needed = 2 * min(int(self._status[_USED]) + count, self._events)
        size = self._tables.shape[1]
        if needed <= size:
            return
        while size < needed:
            size *= 2
        grown = np.zeros((2, size), np.uint64)
        for old, new in zip(self._tables, grown, strict=True):
            _insert_all(new, old)
        self._tables = grown


@numba.njit(cache=True)
def _find_or_add(table, hashes, known, slots):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Sets the slots; returns where in the batch each new account came first. The table is never more than half full.
    mask = np.uint64(table.shape[0] - 1)
    new = np.empty(hashes.size, np.int64)
    added = 0
    for i in range(hashes.size):
        at = mix(np.uint64(hashes[i])) & mask
        while table[at, 1] != 0 and table[at, 0] != hashes[i]:
            at = (at + np.uint64(1)) & mask
        if table[at, 1] == 0:
            new[added] = i
            added += 1
            table[at, 0] = hashes[i]
            table[at, 1] = known + added
        slots[i] = table[at, 1] - 1
    return new[:added]


@numba.njit(cache=True)
def _add_all(table, entries):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    mask = np.uint64(table.shape[0] - 1)
    for i in range(entries.shape[0]):
        if entries[i, 1] != 0:
            at = mix(np.uint64(entries[i, 0])) & mask
            while table[at, 1] != 0:
                at = (at + np.uint64(1)) & mask
            table[at] = entries[i]


@numba.njit(cache=True)
def _insert(table, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # False when the value was there. The table's size is a power of two and it is never more than half full.
    mask = np.uint64(table.size - 1)
    at = mix(value) & mask
    while table[at] != 0:
        if table[at] == value:
            return False
        at = (at + np.uint64(1)) & mask
    table[at] = value
    return True


@numba.njit(cache=True)
def _insert_all(table, values):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for value in values:
        if value != 0:
            _insert(table, value)


@numba.njit(cache=True)
def _holds(table, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    mask = np.uint64(table.size - 1)
    at = mix(value) & mask
    while table[at] != 0:
        if table[at] == value:
            return True
        at = (at + np.uint64(1)) & mask
    return False


@numba.njit(cache=True)
def _mark(identity, ts, tables, status, events, span_ms, duplicate):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for i in range(identity.size):
        if status[_USED] == 0:
            status[_SINCE] = ts[i]
        elif status[_USED] >= events or ts[i] - status[_SINCE] > span_ms:
            status[_CURRENT] = 1 - status[_CURRENT]
            tables[status[_CURRENT]][:] = 0
            status[_USED] = 0
            status[_SINCE] = ts[i]
        current = status[_CURRENT]
        if _holds(tables[1 - current], identity[i]) or not _insert(tables[current], identity[i]):
            duplicate[i] = True
        else:
            status[_USED] += 1
