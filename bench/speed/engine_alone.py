"""The engine without broker and store: decoding, columns and scoring, timed apart. Run as a module: FILE EVENTS."""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path

from pipeline.engine import Engine
from pipeline.event import ApiCall, EventLimits, decode
from pipeline.event.columns import EventBatch
from pipeline.event.partition import partition_of
from pipeline.settings import EngineSettings, StreamSettings

BATCH = 5_000


def batches(lines: list[bytes]) -> list[tuple[int, list[bytes]]]:
    """Lines in batches of a partition, as fetches would give them."""
    partitions = StreamSettings().partitions
    filling: dict[int, list[bytes]] = {number: [] for number in range(partitions)}
    found = []
    for line in lines:
        number = partition_of(json.loads(line)["account_id"], partitions)
        filling[number].append(line)
        if len(filling[number]) == BATCH:
            found.append((number, filling[number]))
            filling[number] = []
    return found + [(number, rest) for number, rest in filling.items() if rest]


def decoded(raw: list[bytes]) -> list[ApiCall]:
    limits = EventLimits()
    calls = [decode(line, received_at=int(2e12), limits=limits) for line in raw]
    return [call for call in calls if isinstance(call, ApiCall)]


def main(path: str, events: int) -> None:
    with Path(path).open("rb") as file:
        parts = batches([line.rstrip() for line in islice(file, events)])
    settings = EngineSettings()
    # Loads the compiled loops.
    first = decoded(parts[0][1][:100])
    Engine(settings, partition=0).process(EventBatch.from_calls(first, range(len(first)), 0))
    engines = [Engine(settings, partition=number) for number in range(StreamSettings().partitions)]
    offsets = [0] * len(engines)
    decoding = columns = scoring = 0.0
    cpu = time.process_time()
    for number, raw in parts:
        t0 = time.perf_counter()
        calls = decoded(raw)
        t1 = time.perf_counter()
        batch = EventBatch.from_calls(calls, range(offsets[number], offsets[number] + len(calls)), number)
        t2 = time.perf_counter()
        engines[number].process(batch)
        t3 = time.perf_counter()
        offsets[number] += len(calls)
        decoding, columns, scoring = decoding + t1 - t0, columns + t2 - t1, scoring + t3 - t2
    result = {"events": sum(offsets), "decode_s": decoding, "columns_s": columns, "score_s": scoring}
    print(json.dumps({**result, "cpu_seconds": time.process_time() - cpu}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
