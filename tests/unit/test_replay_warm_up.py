"""Of a warm-up nothing is told; what is told after it has all that belongs to it."""

import pyarrow.compute as pc
from test_engine import SETTINGS, START, traffic

from pipeline.engine import Engine
from pipeline.event.columns import EventBatch
from pipeline.store.rows import account_windows_table
from replay.shard import _chosen


def test_windows_after_a_warm_up_keep_the_evidence_of_their_hours() -> None:
    calls = traffic(11, 2000, accounts=10, days=4)
    windows = Engine(SETTINGS, 3).process(EventBatch.from_calls(calls, range(len(calls)), 3)).account_windows
    since = START + 30 * 3_600_000
    whole = account_windows_table(windows, run_id="r")
    told = account_windows_table(_chosen(windows, windows.window_start >= since), run_id="r")
    after = pc.greater_equal(whole["window_start"].cast("int64"), since)
    assert 0 < told.num_rows < whole.num_rows
    assert told.equals(whole.filter(after))
    assert pc.max(told["evidence"]).as_py() > 0
