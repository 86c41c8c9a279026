"""Which offsets of a partition may be committed: the bookkeeping of fetched batches, in order, with no gaps.

A batch covers the offsets from `start` to `end` (exclusive), whether or not each of them holds a record. Batches of a
partition are chained: one is taken only if it starts where the one before ended. After every seek (a new assignment, a
rebalance) the chain begins anew under a new epoch; what was fetched or delivered under an older one counts for nothing.
"""

from __future__ import annotations

from collections import deque


class Delivery:
    """A batch on its way through the worker, to be acked when all its effects are durable."""

    __slots__ = ("acked", "begun", "end", "epoch", "start")

    def __init__(self, epoch: int, start: int, end: int) -> None:
        self.epoch = epoch
        self.start = start
        self.end = end
        self.begun = False
        """Its records went into an engine; until then it can be dropped and read again, and nothing has happened."""
        self.acked = False

    def __repr__(self) -> str:
        return f"Delivery(epoch={self.epoch}, [{self.start}, {self.end}), acked={self.acked})"


class PartitionLedger:
    """The batches of one partition that were delivered and are not yet committed.

    Never blocks. What is committed is the end of the longest prefix of delivered batches that are all acked, so a
    commit never passes a batch that is not.
    """

    __slots__ = ("_acked_end", "_open", "committed", "epoch", "position")

    def __init__(self) -> None:
        self.epoch = -1
        self.position = 0
        """Start of the next batch that will be taken."""
        self.committed: int | None = None
        """What the broker is known to hold as the group's offset."""
        self._open: deque[Delivery] = deque()
        self._acked_end: int | None = None

    def restart(self, epoch: int, position: int, committed: int | None) -> None:
        """Begin anew at `position` after a seek: deliveries of older epochs are forgotten, their acks ignored."""
        self.epoch = epoch
        self.position = position
        self.committed = committed
        self._open.clear()
        self._acked_end = None

    def accepts(self, epoch: int, start: int) -> bool:
        """Whether a fetched batch continues the chain; one that does not must be dropped."""
        return epoch == self.epoch and start == self.position

    def deliver(self, end: int) -> Delivery:
        """Take the batch from `position` to `end`; it must be acked before anything behind it is committed."""
        if end < self.position:
            raise ValueError(f"a batch ends at {end}, before its start {self.position}")
        delivery = Delivery(self.epoch, self.position, end)
        self.position = end
        self._open.append(delivery)
        return delivery

    def ack(self, delivery: Delivery) -> bool:
        """Mark `delivery` as durable; False when it belongs to an older epoch or was acked before."""
        if delivery.acked or delivery.epoch != self.epoch:
            return False
        delivery.acked = True
        while self._open and self._open[0].acked:
            self._acked_end = self._open.popleft().end
        return True

    def committable(self) -> int | None:
        """The offset to commit now, or None when there is nothing new; asking changes nothing."""
        if self._acked_end is None or self._acked_end == self.committed:
            return None
        return self._acked_end

    def confirm(self, offset: int) -> None:
        """The broker has taken `offset`."""
        self.committed = offset

    @property
    def unacked(self) -> int:
        """Batches delivered and not acked."""
        return sum(not delivery.acked for delivery in self._open)

    @property
    def behind(self) -> bool:
        """Whether anything delivered is not yet committed."""
        return bool(self._open) or self.committable() is not None

    @property
    def unfinished(self) -> bool:
        """Whether work was begun that is not acked, or acked work is not committed."""
        return any(one.begun and not one.acked for one in self._open) or self.committable() is not None
