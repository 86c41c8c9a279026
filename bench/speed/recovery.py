"""States of many accounts: what they take in the store, and how long a new worker takes to have them back.

Run as a module: `write FOLDER ACCOUNTS` fills a store as checkpoints do, with a whole state of each partition and one of changes;
`read FOLDER`, another process, opens the engines of all partitions as a worker does that begins after a kill.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial

import numpy as np

from bench.speed.many_accounts import BATCH, batch, turns
from pipeline.engine import Engine
from pipeline.event.columns import EventBatch
from pipeline.settings import EngineSettings, StreamSettings
from pipeline.store.client import connect
from pipeline.store.migrate import migrate
from pipeline.store.write import Writer
from pipeline.stream.checkpoint import Checkpoints
from pipeline.stream.recovery import open_engine

CALLS_OF_AN_ACCOUNT = 15
RUN_ID = "live"
#: A thirtieth of the calls follow the whole state, as changes.
CHANGES = 30


def write(folder: str, accounts: int) -> dict[str, float]:
    """Fill the store; sizes in bytes and seconds of saving."""
    partitions = StreamSettings().partitions
    share = accounts // partitions
    last = share * CALLS_OF_AN_ACCOUNT
    whole_bytes = change_bytes = 0
    seconds = 0.0
    with connect(f"chdb:{folder}") as store:
        migrate(store)
        for partition in range(partitions):
            engine = Engine(EngineSettings(), partition)
            checkpoints = Checkpoints(engine, RUN_ID, generation=1, interval_s=30)
            random = np.random.default_rng(partition)
            callers = turns(share, random)
            sizes = []
            for begin, end in ((0, last), (last, last + last // CHANGES)):
                for first in range(begin, end, BATCH):
                    engine.process(_of_partition(batch(first, share, callers, random), partition))
                began = time.perf_counter()
                taken = checkpoints.take(partition, end)
                writer = Writer(store, retry_max_seconds=60)
                writer.add("model_snapshots", taken.rows())
                writer.flush()
                seconds += time.perf_counter() - began
                sizes.append(taken.size)
            whole_bytes, change_bytes = whole_bytes + sizes[0], change_bytes + sizes[1]
    return {
        "accounts": share * partitions,
        "bytes_per_account": whole_bytes / (share * partitions),
        "change_bytes": change_bytes,
        "seconds": seconds,
    }


def read(folder: str) -> dict[str, float]:
    """Open every partition's engine; seconds for all of them one after the other, with opening the store."""
    # Loads the compiled loops.
    warm = Engine(EngineSettings(), 0)
    random = np.random.default_rng(0)
    warm.process(batch(0, 10, turns(10, random), random))
    Engine(EngineSettings(), 0).load([warm.save(whole=True)])
    began = time.perf_counter()
    accounts = 0
    with connect(f"chdb:{folder}") as store:
        for partition in range(StreamSettings().partitions):
            opened = open_engine(partial(Engine, EngineSettings(), partition), store, RUN_ID, partition, 0, fresh=False)
            assert opened.restored, opened.remarks
            accounts += opened.engine.accounts
        return {"accounts": accounts, "seconds": time.perf_counter() - began}


def _of_partition(events: EventBatch, partition: int) -> EventBatch:
    # Accounts of other partitions have other names.
    events.account_id[:] = [f"{partition}-{account}" for account in events.account_id]
    return events


def main() -> None:
    what, folder, *rest = sys.argv[1:]
    print(json.dumps(write(folder, int(rest[0])) if what == "write" else read(folder)))


if __name__ == "__main__":
    main()
