"""The order in which a batch's effects become durable, and what holds when they do not."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa
import pytest

from pipeline.store.errors import QueryError, StoreUnreachableError
from pipeline.store.snapshots import Snapshot
from pipeline.store.write import Writer
from pipeline.stream import metrics as m
from pipeline.stream.sink import Effects, Publication, Sink

ROWS = pa.table({"n": [1, 2, 3]})


class World:
    """A store and a broker that note what reaches them, and fail as often as they are told to."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.store_errors: list[Exception] = []
        self.broker_errors: list[Exception] = []
        self.failures: list[str] = []
        self.acked: list[int] = []
        self.metrics = m.Metrics()
        self.blocked: asyncio.Event | None = None
        self.publish_s = 0.0

    def insert_arrow(self, table: str, rows: Any, *, deduplication_token: str = "") -> None:
        if self.store_errors:
            raise self.store_errors.pop(0)
        self.happened.append(f"{rows.num_rows} rows in {table}")

    def command(self, sql: str, parameters: dict[str, Any]) -> None:
        assert sql.startswith("DELETE FROM model_snapshots")
        self.happened.append(f"states before {parameters['sequences']} deleted")

    def new_writer(self, waiting: Callable[[str], None], pause: Callable[[float], None]) -> Writer:
        return Writer(self, retry_max_seconds=60, waiting=waiting, sleep=lambda _: pause(0))  # type: ignore[arg-type]

    async def publish(self, publication: Publication) -> Awaitable[object]:
        if self.broker_errors:
            raise self.broker_errors.pop(0)
        await asyncio.sleep(self.publish_s)

        async def ack() -> None:
            if self.blocked is not None:
                await self.blocked.wait()
            self.happened.append(f"{publication.topic} acked")

        return asyncio.ensure_future(ack())

    def sink(self, *, max_rows: int = 100, max_s: float = 0.01, retry_max_s: float = 60.0) -> Sink:
        return Sink(
            self,  # type: ignore[arg-type]
            self.new_writer,
            self.publish,
            self.metrics,
            self.failures.append,
            max_rows=max_rows,
            max_s=max_s,
            retry_max_s=retry_max_s,
        )

    def effects(self, number: int, *topics: str, rows: Any = ROWS) -> Effects:
        def done() -> None:
            self.happened.append(f"ack {number}")
            self.acked.append(number)

        return Effects(done, [("t", rows)], [Publication(topic, None, b"") for topic in topics])


async def running(sink: Sink, work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(sink.run())
    try:
        await asyncio.wait_for(work(), 20)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        sink.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for is another thread's
        await asyncio.sleep(0.002)


def test_rows_then_topics_then_the_ack() -> None:
    world = World()

    async def scenario() -> None:
        world.blocked = asyncio.Event()
        sink = world.sink()

        async def work() -> None:
            await sink.put(world.effects(1, "incidents", "rejected"))
            await until(lambda: bool(world.happened))
            assert world.acked == []
            assert world.blocked is not None
            world.blocked.set()
            await until(lambda: world.acked == [1])

        await running(sink, work)

    asyncio.run(scenario())
    assert world.happened == ["3 rows in t", "incidents acked", "rejected acked", "ack 1"]
    assert world.metrics.get(m.ROWS, "t") == 3


def test_a_batch_without_rows_is_acked_after_those_before_it() -> None:
    world = World()

    async def scenario() -> None:
        sink = world.sink()

        async def work() -> None:
            await sink.put(world.effects(1))
            await sink.put(world.effects(2, rows=ROWS.slice(0, 0)))
            await until(lambda: len(world.acked) == 2)

        await running(sink, work)

    asyncio.run(scenario())
    assert world.acked == [1, 2]


def test_a_pile_taken_while_records_are_handed_over_loses_no_ack() -> None:
    world = World()
    world.publish_s = 0.005

    async def scenario() -> None:
        sink = world.sink(max_s=0.0)

        async def agent(first: int) -> None:
            for number in range(first, first + 20):
                await sink.put(world.effects(number, "incidents"))

        async def work() -> None:
            await asyncio.gather(agent(0), agent(100))
            await until(lambda: len(world.acked) == 40)

        await running(sink, work)

    asyncio.run(scenario())
    assert sorted(world.acked) == [*range(20), *range(100, 120)]


def test_a_store_that_is_away_is_tried_again_and_nothing_is_acked_meanwhile() -> None:
    world = World()
    world.store_errors = [StoreUnreachableError("away")] * 5

    async def scenario() -> None:
        sink = world.sink()

        async def work() -> None:
            await sink.put(world.effects(1))
            await until(lambda: world.acked == [1])
            assert sink.store_retries == 5
            assert sink.problem == ""

        await running(sink, work)

    asyncio.run(scenario())
    assert world.happened == ["3 rows in t", "ack 1"]


def test_a_store_that_refuses_fails_the_worker_and_acks_nothing() -> None:
    world = World()
    world.store_errors = [QueryError("no such\ntable")]

    async def scenario() -> None:
        sink = world.sink()

        async def work() -> None:
            await sink.put(world.effects(1))
            await until(lambda: bool(world.failures))
            await sink.put(world.effects(2))

        await running(sink, work)

    asyncio.run(scenario())
    assert world.acked == []
    assert len(world.failures) == 1
    assert "no such table" in world.failures[0]


def test_a_broker_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stream.sink.FIRST_RETRY_S", 0.001)
    world = World()
    world.broker_errors = [ConnectionError("away")] * 3

    async def scenario() -> None:
        sink = world.sink()

        async def work() -> None:
            await sink.put(world.effects(1, "incidents"))
            await until(lambda: world.acked == [1])

        await running(sink, work)

    asyncio.run(scenario())
    assert world.happened == ["3 rows in t", "incidents acked", "ack 1"]


def test_a_broker_that_stays_away_fails_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stream.sink.FIRST_RETRY_S", 0.001)
    world = World()
    world.broker_errors = [ConnectionError("away")] * 1000

    async def scenario() -> None:
        sink = world.sink(retry_max_s=0.01)

        async def work() -> None:
            await sink.put(world.effects(1, "incidents"))
            await until(lambda: bool(world.failures))

        await running(sink, work)

    asyncio.run(scenario())
    assert world.acked == []
    assert "incidents took no records" in world.failures[0]


def test_put_waits_when_as_much_as_allowed_is_waiting() -> None:
    world = World()

    async def scenario() -> None:
        sink = world.sink(max_rows=6, max_s=60)
        for number in (1, 2):
            await sink.put(world.effects(number))
        third = asyncio.ensure_future(sink.put(world.effects(3)))
        await asyncio.sleep(0.02)
        assert not third.done()

        async def work() -> None:
            await third
            await until(lambda: world.acked == [1, 2])

        await running(sink, work)

    asyncio.run(scenario())


def test_urged_it_does_not_wait_for_age_or_number() -> None:
    world = World()

    async def scenario() -> None:
        sink = world.sink(max_s=3600)

        async def work() -> None:
            await sink.put(world.effects(1))
            await asyncio.sleep(0.02)
            assert world.acked == []
            sink.urge()
            await until(lambda: world.acked == [1])

        await running(sink, work)

    asyncio.run(scenario())


def test_states_are_written_after_rows_and_records_and_before_any_ack() -> None:
    world = World()

    class State:
        """A checkpoint that notes what is done with it."""

        size = 5
        kept_days = 0
        snapshot = Snapshot("live", 3, 7, 1, True, 0, 100, 1, b"")

        def account_rows(self) -> None:
            return None

        def rows(self) -> pa.Table:
            return ROWS

    async def scenario() -> None:
        sink = world.sink()

        async def work() -> None:
            await sink.put(world.effects(1, "incidents"))
            await sink.put(Effects(lambda: world.happened.append("ack 2"), checkpoint=State()))  # type: ignore[arg-type]
            await until(lambda: "ack 2" in world.happened)

        await running(sink, work)

    asyncio.run(scenario())
    assert set(world.happened[:2]) == {"3 rows in t", "incidents acked"}
    assert world.happened[2:] == ["3 rows in model_snapshots", "states before [1] deleted", "ack 1", "ack 2"]
    assert (world.metrics.get(m.CHECKPOINTS), world.metrics.get(m.CHECKPOINT_BYTES)) == (1, 5)
