"""Cost of an event and memory with many active accounts. Run as a module: ACCOUNTS.

Every account calls about once a minute of event time, so windows close at the same rate per event however many there are. The
order in which they call is drawn anew each time, so that memory is not read in the order in which it was filled.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Iterator

import numpy as np
import psutil

from pipeline.engine import Engine
from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch
from pipeline.settings import EngineSettings

BATCH = 5_000
START_MS = 1_733_011_200_000
PACE_MS = 60_000
#: Calls of an account before the measured part: models, windows and sketches exist then.
WARM_UP_CALLS = 3
MEASURED_CALLS = 2
MEASURED_AT_LEAST = 50_000


def turns(accounts: int, random: np.random.Generator) -> Iterator[int]:
    """Accounts without end: all of them in some order, then all in another."""
    while True:
        yield from random.permutation(accounts).tolist()


def batch(first: int, accounts: int, callers: Iterator[int], random: np.random.Generator) -> EventBatch:
    """Events `first` to `first + BATCH` of the next `callers`."""
    count = BATCH
    inputs, outputs = random.lognormal(6, 1, count).astype(int), random.lognormal(5, 1, count).astype(int)
    calls = []
    for index in range(count):
        number = first + index
        account = next(callers)
        calls.append(
            ApiCall(
                event_id=f"e{number}",
                ts=START_MS + number * PACE_MS // accounts,
                account_id=f"account-{account}",
                model=f"model-{number % 5}",
                api_key_id=f"key-{account}",
                client_ip=f"10.0.{account >> 8 & 255}.{account & 255}",
                user_agent="client/1.0",
                prompt_hash=f"{number:016x}",
                prompt_simhash=f"{number * 0x9E3779B97F4A7C15 & (1 << 64) - 1:016x}",
                status=200,
                input_tokens=int(inputs[index]),
                output_tokens=int(outputs[index]),
            )
        )
    return EventBatch.from_calls(calls, range(first, first + count), 0)


def rss() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def main(accounts: int) -> None:
    random = np.random.default_rng(1)
    settings = EngineSettings()
    callers = turns(accounts, random)
    Engine(settings, partition=0).process(batch(0, accounts, callers, random))
    before = rss()
    engine = Engine(settings, partition=0)
    warm = WARM_UP_CALLS * accounts
    last = warm + max(MEASURED_AT_LEAST, MEASURED_CALLS * accounts)
    seconds, measured = 0.0, 0
    for first in range(0, last, BATCH):
        events = batch(first, accounts, callers, random)
        began = time.perf_counter()
        engine.process(events)
        if first >= warm:
            seconds += time.perf_counter() - began
            measured += BATCH
    after = rss()
    result = {"accounts": engine.accounts, "microseconds_per_event": seconds / measured * 1e6, "rss_bytes": after}
    print(json.dumps({**result, "bytes_per_account": (after - before) / accounts}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
