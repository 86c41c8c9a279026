import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.errors import QueryError, StoreUnreachableError
from pipeline.store.write import Writer, WriterFullError


class Clock:
    """A clock that moves when someone sleeps, or by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class FailingStore:
    """Takes inserts, or raises what it was given, first to last."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.inserted: list[tuple[str, list[int], str]] = []

    def insert_arrow(self, table: str, rows: pa.Table, *, deduplication_token: str = "") -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.inserted.append((table, rows["x"].to_pylist(), deduplication_token))


def rows(*values: int) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.int64())})


def writer(store: FailingStore, clock: Clock | None = None, **options: float) -> Writer:
    used = clock or Clock()
    return Writer(store, clock=used, sleep=used.sleep, **options)  # type: ignore[arg-type]


def test_rows_of_a_table_go_as_one_block() -> None:
    store = FailingStore()
    gathering = writer(store)
    gathering.add("a", rows(1, 2), "k1")
    gathering.add("b", rows(7), "k1")
    gathering.add("a", rows(3), "k2")
    gathering.add("a", rows())
    assert gathering.flush() == 4
    assert [(table, values) for table, values, _ in store.inserted] == [("a", [1, 2, 3]), ("b", [7])]
    assert gathering.flush() == 0


def test_it_is_due_by_rows_or_by_time() -> None:
    clock = Clock()
    gathering = writer(FailingStore(), clock, max_rows=3, max_seconds=5)
    assert not gathering.due()
    gathering.add("a", rows(1, 2))
    assert not gathering.due()
    clock.now = 4.9
    assert not gathering.due()
    clock.now = 5.0
    assert gathering.due()
    gathering.flush()
    assert not gathering.due()
    gathering.add("a", rows(1, 2, 3))
    assert gathering.due()


def test_it_takes_no_more_than_may_wait() -> None:
    gathering = writer(FailingStore(), max_bytes=100)
    gathering.add("a", rows(*range(50)))
    assert gathering.full
    assert gathering.due()
    with pytest.raises(WriterFullError):
        gathering.add("a", rows(1))
    assert gathering.flush() == 50
    assert gathering.waiting_bytes == 0
    gathering.add("a", rows(1))


def test_the_store_coming_back_gets_the_same_block() -> None:
    clock = Clock()
    store = FailingStore(
        StoreUnreachableError("away"), QueryError("too many parts", 252), StoreUnreachableError("away")
    )
    waits: list[str] = []
    gathering = Writer(store, clock=clock, sleep=clock.sleep, waiting=waits.append)  # type: ignore[arg-type]
    gathering.add("a", rows(1), "key")
    assert gathering.flush() == 1
    assert clock.pauses == sorted(clock.pauses)
    assert len(waits) == 3
    assert "trying again" in waits[0]


def test_giving_up_keeps_the_rows_and_their_order() -> None:
    clock = Clock()
    store = FailingStore(*[StoreUnreachableError("away")] * 100)
    gathering = writer(store, clock, retry_max_seconds=20)
    gathering.add("a", rows(1), "k1")
    with pytest.raises(StoreUnreachableError, match="1 rows for a could not be written for 20 s: away"):
        gathering.flush()
    assert clock.now == pytest.approx(20)
    assert gathering.due()
    gathering.add("a", rows(2), "k2")
    store.errors.clear()
    assert gathering.flush() == 2
    assert [values for _, values, _ in store.inserted] == [[1], [2]]
    assert gathering.waiting_bytes == 0


def test_a_refusal_is_raised_at_once() -> None:
    clock = Clock()
    gathering = writer(FailingStore(QueryError("no such column", 16)), clock)
    gathering.add("a", rows(1))
    with pytest.raises(QueryError):
        gathering.flush()
    assert clock.pauses == []


@given(st.lists(st.tuples(st.text(max_size=5), st.lists(st.integers(0, 9), max_size=4)), max_size=6))
def test_tokens_are_of_the_content(pieces: list[tuple[str, list[int]]]) -> None:
    tokens = []
    for _ in range(2):
        store = FailingStore()
        gathering = writer(store)
        for key, values in pieces:
            gathering.add("a", rows(*values), key)
        gathering.flush()
        tokens.append([token for _, _, token in store.inserted])
    assert tokens[0] == tokens[1]


def test_other_content_has_another_token() -> None:
    def token(table: str, *pieces: tuple[str, pa.Table]) -> str:
        store = FailingStore()
        gathering = writer(store)
        for key, piece in pieces:
            gathering.add(table, piece, key)
        gathering.flush()
        return store.inserted[0][2]

    found = [
        token("a", ("0-9", rows(1))),
        token("b", ("0-9", rows(1))),
        token("a", ("0-19", rows(1))),
        token("a", ("", rows(1))),
        token("a", ("", rows(2))),
        token("a", ("0-9", rows(1)), ("10-19", rows(1))),
    ]
    assert len(set(found)) == len(found)
