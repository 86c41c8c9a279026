"""A batch of events of one partition as columns: what the engine reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.event.address import network_of
from pipeline.event.api_call import ApiCall
from pipeline.event.column_names import HASHED_FIELDS, NUMBER_FIELDS
from pipeline.event.hashing import hash_text, hash_texts

Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Float64 = NDArray[np.float64]

#: Fields that hardly vary from call to call of an account: looked up rather than hashed anew.
_STEADY = frozenset({"payment_id", "org_id"})


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of one partition in the order of their offsets, N of them.

    Shapes: `ts`, `offset`, `identity`, `simhash`, `network` (N,); `numbers` (N, len(NUMBER_FIELDS)); `hashes`
    (N, len(HASHED_FIELDS)), 0 where the field is absent.
    """

    partition: int
    account_id: list[str]
    event_id: list[str]
    ts: Int64
    offset: Int64
    identity: UInt64
    """Hash of account and event id together: an event id counts once per account."""
    simhash: UInt64
    """The prompt's simhash itself; 0 where absent."""
    network: UInt64
    """The network that the client's address is in, as `pipeline.event.address` numbers it; 0 where there is none."""
    numbers: Float64
    hashes: UInt64

    def __len__(self) -> int:
        return len(self.account_id)

    @classmethod
    def from_calls(cls, calls: Sequence[ApiCall], offsets: Sequence[int], partition: int) -> EventBatch:
        """Lay `calls` out as columns; `offsets[i]` is the offset of `calls[i]`, or -1 where there is none."""
        count = len(calls)
        event_ids = [call.event_id for call in calls]
        numbers = np.empty((count, len(NUMBER_FIELDS)))
        for column, field in enumerate(NUMBER_FIELDS):
            # None becomes NaN, and an absent number counts as 0.
            numbers[:, column] = list(map(attrgetter(field), calls))
        np.nan_to_num(numbers, copy=False)
        hashes = np.empty((count, len(HASHED_FIELDS)), np.uint64)
        for column, field in enumerate(HASHED_FIELDS):
            texts: list[Any] = list(map(attrgetter(field), calls))
            if field in _STEADY:
                hashes[:, column] = np.fromiter(map(hash_text, texts), np.uint64, count)
            else:
                hashes[:, column] = hash_texts(texts)
        account_ids = [call.account_id for call in calls]
        return cls(
            partition=partition,
            account_id=account_ids,
            event_id=event_ids,
            ts=np.fromiter((call.ts for call in calls), np.int64, count),
            offset=np.asarray(offsets, np.int64),
            identity=hash_texts([f"{account}\0{event}" for account, event in zip(account_ids, event_ids, strict=True)]),
            simhash=np.array([int(call.prompt_simhash or "0", 16) for call in calls], np.uint64),
            network=np.fromiter(map(network_of, map(attrgetter("client_ip"), calls)), np.uint64, count),
            numbers=numbers,
            hashes=hashes,
        )

    def __getitem__(self, part: slice) -> EventBatch:
        return EventBatch(
            partition=self.partition,
            account_id=self.account_id[part],
            event_id=self.event_id[part],
            ts=self.ts[part],
            offset=self.offset[part],
            identity=self.identity[part],
            simhash=self.simhash[part],
            network=self.network[part],
            numbers=self.numbers[part],
            hashes=self.hashes[part],
        )
