"""Which account has which slot, and which events were counted before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.event.hashing import mix
from pipeline.state import Saved

_CURRENT, _USED, _SINCE = 0, 1, 2
#: In place of slot + 1, of an account that is in the store and not in memory.
_ELSEWHERE = -1


class AccountSlots:
    """Slots for accounts, given out in the order of their first events; those of accounts that left memory are given out again.

    Accounts are looked up by Python's 64-bit hash of their ids (SipHash under a key of the process, so nobody can choose ids
    that collide) in a table with open addressing: a dictionary of a million ids costs four reads of memory far apart, this
    one. Two of a million accounts share a hash with a probability of 3e-8. The table also holds, without their ids, the
    accounts that are in the store and not in memory, so that a new account is known for one without a look there.
    """

    def __init__(self) -> None:
        self.account_of: list[str] = []
        """The account of each slot; empty for a free slot."""
        self.evicted = 0
        """Accounts that are in the store and not in memory."""
        self._free: list[int] = []
        self._renamed: set[int] = set()
        # Hash and slot + 1 of each entry, `_ELSEWHERE` for one that is not in memory; 0 marks a free one.
        self._table = np.zeros((2048, 2), np.int64)

    def __len__(self) -> int:
        """Slots there are, free ones too."""
        return len(self.account_of)

    @property
    def resident(self) -> int:
        """Accounts in memory."""
        return len(self) - len(self._free)

    def of(self, account_ids: Sequence[str]) -> NDArray[np.int64]:
        """The slot of each account; new accounts get free ones or the next. Raises KeyError for one that is in the store."""
        count = len(account_ids)
        self._make_room(count)
        slots = np.empty(count, np.int64)
        new = _find_or_add(self._table, _hashes(account_ids), self._next(count), slots)
        for index in new.tolist():
            self._hand_out(int(slots[index]), account_ids[index])
        if slots.size and slots.min() < 0:
            raise KeyError(f"the account {account_ids[int(slots.argmin())]} is in the store and must be restored first")
        return slots

    def absent(self, account_ids: Sequence[str]) -> list[str]:
        """Those of the accounts that are in the store and not in memory, each once."""
        if not self.evicted:
            return []
        found = _find(self._table, _hashes(account_ids))
        return list(dict.fromkeys(account_ids[index] for index in np.flatnonzero(found == _ELSEWHERE).tolist()))

    def evict(self, slots: NDArray[np.int64]) -> None:
        """Let the accounts of `slots` leave; the slots are free."""
        _point(
            self._table, _hashes([self.account_of[slot] for slot in slots.tolist()]), np.full_like(slots, _ELSEWHERE)
        )
        for slot in slots.tolist():
            self.account_of[slot] = ""
            self._free.append(slot)
            self._renamed.add(slot)
        self.evicted += int(slots.size)

    def restore(self, account_ids: Sequence[str]) -> NDArray[np.int64]:
        """Slots for accounts that `absent` named."""
        slots = self._next(len(account_ids))
        _point(self._table, _hashes(account_ids), slots + 1)
        for slot, account_id in zip(slots.tolist(), account_ids, strict=True):
            self._hand_out(slot, account_id)
        self.evicted -= len(account_ids)
        return slots

    def elsewhere(self, account_ids: Sequence[str]) -> None:
        """These accounts are in the store, unless they are in memory."""
        self._make_room(len(account_ids))
        self.evicted += int(_add_elsewhere(self._table, _hashes(account_ids)))

    def owned(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of `slots` are not free."""
        taken = np.ones(len(self), np.bool_)
        taken[self._free] = False
        return taken[slots]

    def renamed(self) -> NDArray[np.int64]:
        """Slots that went to others, or became free, since this was last asked."""
        renamed, self._renamed = np.array(sorted(self._renamed), np.int64), set()
        return renamed

    def assign(self, slots: Iterable[int], account_ids: Iterable[str]) -> None:
        """Put saved accounts back: whose each slot is, an empty id for nobody's. `index` them before asking for any."""
        for slot, account_id in zip(slots, account_ids, strict=True):
            while slot >= len(self):
                self.account_of.append("")
            self.account_of[slot] = account_id

    def index(self) -> None:
        """Make what is looked up of what was assigned."""
        owned = [(slot, account_id) for slot, account_id in enumerate(self.account_of) if account_id]
        self._table = np.zeros((2048, 2), np.int64)
        self._free = [slot for slot, account_id in enumerate(self.account_of) if not account_id]
        self._renamed.clear()
        self._make_room(0)
        at = np.array([slot for slot, _ in owned], np.int64)
        entries = np.stack([_hashes([account_id for _, account_id in owned]), at + 1], axis=1)
        _add_all(self._table, entries)

    def _next(self, count: int) -> NDArray[np.int64]:
        # The slots that the next `count` new accounts get.
        free = self._free[: -count - 1 : -1]
        return np.array([*free, *range(len(self), len(self) + count - len(free))], np.int64)

    def _hand_out(self, slot: int, account_id: str) -> None:
        if slot == len(self):
            self.account_of.append(account_id)
        else:
            assert self._free.pop() == slot
            self.account_of[slot] = account_id
            self._renamed.add(slot)

    def _make_room(self, more: int) -> None:
        size = self._table.shape[0]
        accounts = self.resident + self.evicted + more
        if 2 * accounts <= size:
            return
        while size < 2 * accounts:
            size *= 2
        grown = np.zeros((size, 2), np.int64)
        _add_all(grown, self._table)
        self._table = grown


def _hashes(account_ids: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, account_ids), np.int64, len(account_ids))


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


@numba.njit(cache=True, inline="always")
def _place_of(table, hashed):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Of the hash's entry, or of the free one where it would be. The table is never more than half full.
    mask = np.uint64(table.shape[0] - 1)
    at = mix(np.uint64(hashed)) & mask
    while table[at, 1] != 0 and table[at, 0] != hashed:
        at = (at + np.uint64(1)) & mask
    return at


@numba.njit(cache=True)
def _find_or_add(table, hashes, following, slots):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Sets the slots, those of new accounts from `following` on; returns where in the batch each new account came first.
    new = np.empty(hashes.size, np.int64)
    added = 0
    for i in range(hashes.size):
        at = _place_of(table, hashes[i])
        if table[at, 1] == 0:
            new[added] = i
            table[at, 0] = hashes[i]
            table[at, 1] = following[added] + 1
            added += 1
        slots[i] = table[at, 1] - 1
    return new[:added]


@numba.njit(cache=True)
def _find(table, hashes):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    found = np.empty(hashes.size, np.int64)
    for i in range(hashes.size):
        found[i] = table[_place_of(table, hashes[i]), 1]
    return found


@numba.njit(cache=True)
def _point(table, hashes, to):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for i in range(hashes.size):
        table[_place_of(table, hashes[i]), 1] = to[i]


@numba.njit(cache=True)
def _add_elsewhere(table, hashes):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    added = 0
    for i in range(hashes.size):
        at = _place_of(table, hashes[i])
        if table[at, 1] == 0:
            table[at, 0], table[at, 1] = hashes[i], _ELSEWHERE
            added += 1
    return added


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
