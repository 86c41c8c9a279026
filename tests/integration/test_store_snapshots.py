"""Engine states in the store, on chDB."""

import numpy as np
import pytest

from pipeline.store import snapshots
from pipeline.store.client import Store
from pipeline.store.snapshots import Snapshot, forget_before, read_chain, snapshot_table

BEGAN, DAY = 1_733_011_200_000, 86_400_000


def write(
    store: Store, generation: int, sequence: int, *, whole: bool, state: bytes, partition: int = 3, day: int = 0
) -> None:
    offset = 100 * generation + sequence
    one = Snapshot("live", partition, generation, sequence, whole, BEGAN + day * DAY, offset, 2, state, f"day {day}")
    store.insert_arrow("model_snapshots", snapshot_table(one))


def test_the_newest_whole_state_and_its_changes_come_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "PIECE_BYTES", 1000)
    assert read_chain(store, "live", 3) is None
    random = np.random.default_rng(1).bytes(4321)
    write(store, 7, 0, whole=True, state=b"old")
    write(store, 7, 1, whole=False, state=b"older change")
    write(store, 8, 0, whole=True, state=b"first")
    write(store, 8, 1, whole=False, state=b"change")
    write(store, 8, 2, whole=True, state=random)
    write(store, 8, 3, whole=False, state=b"\xff\x00change")
    write(store, 8, 3, whole=False, state=b"\xff\x00change")
    write(store, 8, 5, whole=False, state=b"after a gap")
    write(store, 99, 0, whole=True, state=b"another partition", partition=4)
    chain = read_chain(store, "live", 3)
    assert chain == snapshots.Chain(8, 803, [random, b"\xff\x00change"], BEGAN, "day 0")
    assert read_chain(store, "replay", 3) is None


def test_an_unfinished_state_is_passed_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "PIECE_BYTES", 10)
    write(store, 7, 0, whole=True, state=b"0123456789abcdef")
    write(store, 7, 1, whole=False, state=b"change")
    table = snapshot_table(Snapshot("live", 3, 8, 0, True, 0, 800, 1, b"x" * 25))
    store.insert_arrow("model_snapshots", table.slice(0, 2))
    chain = read_chain(store, "live", 3)
    assert chain is not None
    assert (chain.generation, chain.states) == (7, [b"0123456789abcdef", b"change"])
    store.insert_arrow("model_snapshots", table.slice(2))
    chain = read_chain(store, "live", 3)
    assert chain is not None
    assert (chain.generation, chain.states) == (8, [b"x" * 25])


def test_what_whole_states_have_replaced_is_deleted(store: Store) -> None:
    for generation in (7, 8):
        for sequence in range(4):
            for partition in (-1, 3, 4):
                write(store, generation, sequence, whole=sequence % 2 == 0, state=b"state", partition=partition)
    wholes = [(-1, 7, 2), (3, 8, 0), (3, 8, 2)]
    forget_before(store, [Snapshot("live", *one, True, 0, 0, 2, b"") for one in wholes])
    left = store.query_rows("SELECT partition, generation, sequence FROM model_snapshots ORDER BY ALL")
    assert [row[1:] for row in left if row[0] == 3] == [(8, 2), (8, 3)]
    assert [row[1:] for row in left if row[0] == -1] == [(7, 2), (7, 3), (8, 0), (8, 1), (8, 2), (8, 3)]
    assert len([row for row in left if row[0] == 4]) == 8
    chain = read_chain(store, "live", 3)
    assert chain is not None
    assert len(chain.states) == 2


def test_of_each_of_the_latest_days_a_whole_state_stays(store: Store) -> None:
    for sequence in range(10):
        write(store, 7, sequence, whole=sequence != 7, state=b"%d" % sequence, day=sequence // 2)
    forget_before(store, [Snapshot("live", 3, 7, 9, True, 0, 0, 2, b"")], kept_days=3)
    left = store.query_rows("SELECT sequence FROM model_snapshots FINAL WHERE partition = 3 ORDER BY sequence")
    assert [sequence for (sequence,) in left] == [2, 4, 6, 8, 9]
    for day, state in {0: None, 1: b"2", 2: b"4", 3: b"6", 4: b"9"}.items():
        chain = read_chain(store, "live", 3, BEGAN + day * DAY + 1)
        assert (None if chain is None else (chain.states, chain.settings)) == (
            None if state is None else ([state], f"day {day}")
        )
