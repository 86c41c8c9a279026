"""Which offsets may be committed, whatever the order of acks, seeks and commits."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.stream.ledger import Delivery, PartitionLedger


def ledger_at(position: int, committed: int | None = None) -> PartitionLedger:
    ledger = PartitionLedger()
    ledger.restart(1, position, committed)
    return ledger


def test_nothing_is_committable_before_an_ack() -> None:
    ledger = ledger_at(0)
    ledger.deliver(10)
    assert ledger.committable() is None
    assert ledger.unacked == 1


def test_the_first_batch_of_a_group_without_offsets() -> None:
    ledger = ledger_at(0)
    first = ledger.deliver(1)
    assert ledger.ack(first)
    assert ledger.committable() == 1


def test_an_ack_out_of_order_waits_for_those_before_it() -> None:
    ledger = ledger_at(100, 100)
    first, second, third = ledger.deliver(150), ledger.deliver(151), ledger.deliver(900)
    ledger.ack(third)
    ledger.ack(second)
    assert ledger.committable() is None
    ledger.ack(first)
    assert ledger.committable() == 900


def test_asking_does_not_use_up_the_offset_and_confirming_does() -> None:
    ledger = ledger_at(0)
    ledger.ack(ledger.deliver(5))
    assert ledger.committable() == 5
    assert ledger.committable() == 5
    ledger.confirm(5)
    assert ledger.committable() is None
    assert not ledger.behind


def test_an_ack_from_before_a_seek_counts_for_nothing() -> None:
    ledger = ledger_at(0)
    old = ledger.deliver(50)
    ledger.restart(2, 0, None)
    again = ledger.deliver(20)
    assert not ledger.ack(old)
    assert ledger.committable() is None
    assert ledger.ack(again)
    assert not ledger.ack(again)
    assert ledger.committable() == 20


def test_a_batch_is_taken_only_where_the_one_before_ended() -> None:
    ledger = ledger_at(7, 7)
    assert ledger.accepts(1, 7)
    assert not ledger.accepts(1, 8)
    assert not ledger.accepts(1, 6)
    assert not ledger.accepts(0, 7)
    ledger.deliver(10)
    assert ledger.accepts(1, 10)


@given(sizes=st.lists(st.integers(1, 1000), min_size=1, max_size=30), data=st.data())
def test_any_order_of_acks_ends_with_everything_committable(sizes: list[int], data: st.DataObject) -> None:
    ledger = ledger_at(0)
    deliveries = [ledger.deliver(ledger.position + size) for size in sizes]
    for delivery in data.draw(st.permutations(deliveries)):
        offset = ledger.committable()
        assert offset is None or all(d.acked for d in deliveries if d.start < offset)
        ledger.ack(delivery)
    assert ledger.committable() == sum(sizes)


class CommitsNeverPassWork(RuleBasedStateMachine):
    """Delivers, acks, commits, loses commits and seeks in any order, against a list of what is durable."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = PartitionLedger()
        self.epoch = 1
        self.durable: set[int] = set()
        self.open: list[Delivery] = []
        self.old: list[Delivery] = []
        self.broker_has = 0
        self.ledger.restart(self.epoch, 0, None)

    @rule(size=st.integers(1, 50))
    def deliver(self, size: int) -> None:
        self.open.append(self.ledger.deliver(self.ledger.position + size))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        delivery = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.durable.update(range(delivery.start, delivery.end))
        assert self.ledger.ack(delivery)

    @precondition(lambda self: self.old)
    @rule()
    def ack_late(self) -> None:
        # What the batch wrote is durable too, but this worker has lost its claim on the partition.
        assert not self.ledger.ack(self.old.pop())

    @rule(taken=st.booleans())
    def commit(self, taken: bool) -> None:
        offset = self.ledger.committable()
        if offset is not None and taken:
            assert offset > self.broker_has
            self.broker_has = offset
            self.ledger.confirm(offset)

    @rule()
    def seek(self) -> None:
        self.epoch += 1
        self.old.extend(self.open)
        self.open.clear()
        self.ledger.restart(self.epoch, self.broker_has, self.broker_has or None)

    @invariant()
    def committed_work_is_durable(self) -> None:
        offset = max(self.broker_has, self.ledger.committable() or 0)
        assert self.durable.issuperset(range(offset))


TestCommitsNeverPassWork = CommitsNeverPassWork.TestCase


def test_only_what_was_begun_is_unfinished() -> None:
    ledger = ledger_at(0)
    first, second = ledger.deliver(5), ledger.deliver(9)
    assert not ledger.unfinished
    first.begun = True
    assert ledger.unfinished
    ledger.ack(first)
    assert ledger.unfinished  # until it is committed
    ledger.confirm(5)
    assert not ledger.unfinished
    assert ledger.behind
    second.begun = True
    assert ledger.unfinished
