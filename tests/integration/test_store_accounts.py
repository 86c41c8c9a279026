"""Accounts that leave memory, in a real store."""

import msgspec
import pytest

from pipeline.engine import Engine
from pipeline.event.columns import EventBatch
from pipeline.settings import DetectorSettings
from pipeline.state import StateError
from pipeline.store.account_states import AccountStates
from pipeline.store.client import Store
from pipeline.stream.checkpoint import Checkpoints
from tests.unit.test_engine import process, rows
from tests.unit.test_engine_eviction import SETTINGS, visits

RIVER = DetectorSettings(name="loda", model="river.anomaly.LODA", on="event", features=("log_gap_s",))


def test_accounts_leave_for_the_store_and_come_back_as_they_were(store: Store) -> None:
    settings = msgspec.structs.replace(SETTINGS, detectors=(*SETTINGS.detectors, RIVER))
    calls = visits(5, 900)
    batch = EventBatch.from_calls(calls, range(900), 0)
    engine = Engine(settings, partition=0)
    checkpoints = Checkpoints(engine, "live", generation=7, interval_s=1, evicting=engine)
    left = AccountStates(store, "live", 0)
    verdicts, restored = [], 0
    for begin in range(0, 900, 30):
        part = batch[begin : begin + 30]
        absent = engine.absent(part.account_id)
        for accounts, parts in left.read(absent):
            engine.restore(accounts, parts)
        assert engine.absent(part.account_id) == []
        restored += len(absent)
        verdicts.append(engine.process(part))
        one = checkpoints.take(0, begin + 30)
        if (table := one.account_rows()) is not None:
            store.insert_arrow("account_states", table)
        one.done(0)
    assert rows(verdicts) == process(calls, [], settings)
    assert restored > 20
    gone = engine.absent([call.account_id for call in calls])
    assert set(gone) <= set(left.accounts())
    assert checkpoints.evicted - restored == len(gone)
    assert AccountStates(store, "live", 1).accounts() == []
    with pytest.raises(StateError, match="account_states lacks 1 of 2 accounts of partition 0"):
        left.read([gone[0], "nobody"])
    left.forget()
    assert left.accounts() == []
