"""How long it takes to decide incidents anew from stored evidence: `python -m bench.what_if [--hours N]`.

Hours of accounts as a month of ordinary traffic has them, with evidence whose tail is exponential, written into a store of
their own; then read and decided by other thresholds, as `stillwatch replay what-if` does it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.event import partition_of
from pipeline.settings import IncidentSettings
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.store.rows import TIME
from replay.decide import decide
from replay.hours import hours_of

RUN = "bench"
DAYS = 30
PARTITIONS = 8
START_MS = 1_733_011_200_000
HOUR_MS = 3_600_000
#: Hours of a day in which an account calls.
ACTIVE = 8
CHANGED = IncidentSettings(open_at=3.0, alerts_per_1000_account_days=1.0)


@dataclass(frozen=True, slots=True)
class Timing:
    """What deciding anew took."""

    scores: int
    seconds: float
    incidents: int


def fill(store: Store, hours: int, seed: int = 1) -> int:
    """Write about so many hours of accounts under `RUN`; how many there are."""
    accounts = max(1, hours // (DAYS * ACTIVE))
    random = np.random.default_rng(seed)
    names = np.array([f"acct_{number:010x}" for number in random.permutation(accounts)])
    partition = np.array([partition_of(name, PARTITIONS) for name in names.tolist()], np.int32)
    calls = np.zeros(accounts, np.int64)
    written = 0
    for day in range(DAYS):
        for hour in range(24):
            active = np.sort(random.choice(accounts, accounts * ACTIVE // 24, replace=False))
            of = partition[active]
            order = np.argsort(of, kind="stable")
            active, of = active[order], of[order]
            place = np.arange(active.size) - np.searchsorted(of, of)
            calls[active] += 30
            start = START_MS + (day * 24 + hour) * HOUR_MS
            count = active.size
            numbers = {
                "window_s": np.full(count, 3600, np.uint32),
                "calls": np.full(count, 30, np.uint64),
                "output_tokens": random.integers(100, 100_000, count).astype(np.uint64),
                "evidence": random.exponential(0.35, count).astype(np.float32),
                "partition": of,
                "place": place.astype(np.uint32),
                "account_calls": calls[active].astype(np.uint64),
            }
            columns = {name: pa.array(values) for name, values in numbers.items()}
            columns["run_id"] = pa.array([RUN] * count)
            columns["account_id"] = pa.array(names[active])
            columns["window_start"] = pa.array(np.full(count, start)).cast(TIME)
            columns["closed_by"] = pa.array(np.full(count, start + HOUR_MS + 120_000)).cast(TIME)
            store.insert_arrow("account_windows", pa.table(columns))
            written += count
    return written


def measure(store: Store, scores: int) -> Timing:
    """Read the hours of `RUN` and decide their incidents by other thresholds."""
    began = time.perf_counter()
    found = decide(hours_of(store, RUN, named_from=CHANGED.close_at), CHANGED)
    return Timing(scores, round(time.perf_counter() - began, 2), len(found))


def what_if(hours: int = 10_000_000) -> Timing:
    """Make a store with so many scored hours of accounts, and decide them anew."""
    with tempfile.TemporaryDirectory() as folder, connect(f"chdb:{Path(folder) / 'store'}") as store:
        migrate(store)
        written = fill(store, hours)
        # Once for what is compiled and loaded at first.
        measure(store, written)
        return measure(store, written)


def main() -> None:
    """Print the timing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=10_000_000, help="scored hours of accounts")
    found = what_if(parser.parse_args().hours)
    rate = found.scores / found.seconds
    print(
        f"{found.scores:,} scores decided anew in {found.seconds:.2f} s, {rate:,.0f}/s; {found.incidents:,} incidents"
    )


if __name__ == "__main__":
    main()
