"""Latency at a steady 5,000 events/s: from produced to the incident on its topic, and from produced to the row that SQL sees.

The worker runs as always, in a process of its own. An embedded store can be asked in its own process only, so a thread
beside the worker asks every 50 ms up to which offset of each partition there are rows, and prints what is new; incidents are
consumed by the producing process. Run as a module that is this process: BROKER STORE SETTINGS.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, BinaryIO

import aiokafka
import msgspec

from bench.speed.same_work.work import new_group
from pipeline.event import ApiCall
from pipeline.event.partition import partition_of
from pipeline.incidents.incident import Incident
from pipeline.settings import Settings
from pipeline.settings.load import load
from pipeline.store.client import connect
from pipeline.store.errors import StoreError
from pipeline.stream.run import run_worker
from pipeline.stream.topics import ensure_topics, topic_specs

RATE = 5_000
TICK_S = 0.01
ASK_S = 0.05
#: Share of the events that are sent as fast as can be beforehand, so that models have a past and incidents come.
WARM_UP = 0.4
#: Incidents are rare; with these thresholds an hour that is a little odd opens one, so there are enough to measure.
OPEN_AT, CLOSE_AT = 0.3, 0.1
#: The embedded broker holds a fetch that finds nothing for as long as it may, also when a record comes meanwhile.
FETCH_MAX_WAIT_MS = 20
PATIENCE_S = 60.0
ROWS = "SELECT partition, max(offset) FROM api_calls GROUP BY partition"


@dataclass(slots=True)
class Sent:
    """What was sent to one partition at the steady rate: offsets, event times and when, all rising."""

    offsets: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    at: list[float] = field(default_factory=list)


def run(server: str, events: Path) -> dict[str, Any]:
    """Percentiles in seconds, or {"error": ...}."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        names = {name: f"latency-{name}" for name in ("api_calls_topic", "rejected_topic", "incidents_topic")}
        given = [f"stream.{key}={value}" for key, value in names.items()]
        given += [f"stream.group={new_group('latency')}", "stream.session_timeout_s=6", "stream.web_port=0"]
        given += [f"engine.incident.{name}={OPEN_AT}" for name in ("open_at", "open_at_most")]
        given += [f"engine.incident.close_at={CLOSE_AT}"]
        settings = _settings(given)
        ensure_topics([server], topic_specs(settings.stream))
        command = [sys.executable, "-W", "ignore", "-m", "bench.speed.latency", server, f"chdb:{folder}/store", *given]
        with (
            (Path(folder) / "log").open("w+") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as worker,
        ):
            try:
                return asyncio.run(_measure(server, settings, events.read_bytes().splitlines(), worker))
            except TimeoutError:
                log.seek(0)
                return {"error": f"nothing for {PATIENCE_S:g} s; the worker said: {log.read().strip()[-200:]}"}
            finally:
                worker.terminate()


def _settings(given: list[str]) -> Settings:
    return load(None, dict(one.split("=", 1) for one in given), {})


async def _measure(
    server: str, settings: Settings, lines: list[bytes], worker: subprocess.Popen[bytes]
) -> dict[str, Any]:
    decode = msgspec.json.Decoder(ApiCall).decode
    seen: list[tuple[float, dict[int, int]]] = []
    assert worker.stdout is not None
    threading.Thread(target=_follow, args=(worker.stdout, seen), daemon=True).start()
    sent = [Sent() for _ in range(settings.stream.partitions)]
    loop = asyncio.get_running_loop()
    async with (
        aiokafka.AIOKafkaProducer(bootstrap_servers=server, linger_ms=2) as producer,
        aiokafka.AIOKafkaConsumer(
            settings.stream.incidents_topic, bootstrap_servers=server, fetch_max_wait_ms=FETCH_MAX_WAIT_MS
        ) as consumer,
    ):
        found: list[tuple[float, Incident]] = []
        listening = asyncio.create_task(_listen(consumer, found))
        warm = int(len(lines) * WARM_UP)

        async def send(number: int, keep: bool) -> None:
            call = decode(lines[number])
            partition = partition_of(call.account_id, len(sent))
            at = time.time()
            future = await producer.send(
                settings.stream.api_calls_topic, lines[number], call.account_id.encode(), partition
            )
            one = sent[partition]
            if keep:
                one.times.append(call.ts)
                one.at.append(at)
                future.add_done_callback(lambda done: one.offsets.append(done.result().offset))
            else:
                future.add_done_callback(lambda done: one.offsets.__setitem__(slice(None), [done.result().offset]))

        for number in range(warm):
            await send(number, keep=False)
        await producer.flush()
        ends = {number: one.offsets.pop() for number, one in enumerate(sent) if one.offsets}
        await _until(lambda: _has(seen, ends))
        began = loop.time()
        for number in range(warm, len(lines)):
            ahead = (number - warm) / RATE - (loop.time() - began)
            if ahead > TICK_S:
                await asyncio.sleep(ahead)
            await send(number, keep=True)
        seconds = loop.time() - began
        await producer.flush()
        ends = {number: one.offsets[-1] for number, one in enumerate(sent) if one.offsets}
        await _until(lambda: _has(seen, ends))
        listening.cancel()
    return {
        "events": len(lines) - warm,
        "rate": (len(lines) - warm) / seconds,
        "rows": _percentiles(_of_rows(sent, seen)),
        "incidents": _percentiles(_of_incidents(sent, found)),
    }


def _follow(output: BinaryIO, seen: list[tuple[float, dict[int, int]]]) -> None:
    for line in output:
        at, rows = json.loads(line)
        seen.append((at, {int(partition): int(offset) for partition, offset in rows}))


def _has(seen: list[tuple[float, dict[int, int]]], ends: dict[int, int]) -> bool:
    return bool(seen) and all(seen[-1][1].get(partition, -1) >= offset for partition, offset in ends.items())


async def _until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(ASK_S)


async def _listen(consumer: aiokafka.AIOKafkaConsumer, found: list[tuple[float, Incident]]) -> None:
    decode = msgspec.json.Decoder(Incident).decode
    while True:
        record = await consumer.getone()
        found.append((time.time(), decode(record.value)))


def _of_rows(sent: list[Sent], seen: list[tuple[float, dict[int, int]]]) -> list[float]:
    latencies = []
    for partition, one in enumerate(sent):
        answers = [(rows[partition], at) for at, rows in seen if partition in rows]
        offsets = [offset for offset, _ in answers]
        for offset, at in zip(one.offsets, one.at, strict=True):
            latencies.append(answers[bisect_left(offsets, offset)][1] - at)
    return latencies


def _of_incidents(sent: list[Sent], found: list[tuple[float, Incident]]) -> list[float]:
    latencies = []
    for at, incident in found:
        one = sent[partition_of(incident.entity_id, len(sent))]
        # The event whose time let the window close: the first of its partition with this time or a later one.
        index = bisect_left(one.times, incident.detected_at)
        if incident.version == 1 and index < len(one.times) and one.times[index] == incident.detected_at:
            latencies.append(at - one.at[index])
    return latencies


def _percentiles(latencies: list[float]) -> dict[str, float]:
    if len(latencies) < 2:
        return {"count": len(latencies)}
    cuts = quantiles(latencies, n=100, method="inclusive")
    return {"count": len(latencies), "p50": cuts[49], "p99": cuts[98], "largest": max(latencies)}


def main() -> None:
    """The worker, and the thread that asks its store."""
    server, store, *given = sys.argv[1:]
    settings = _settings([*given, f"stream.broker=kafka://{server}", f"store.address={store}"])
    threading.Thread(target=_ask, args=(store,), daemon=True).start()
    run_worker(settings)


def _ask(address: str) -> None:
    last: list[tuple[Any, ...]] = []
    while True:
        try:
            with connect(address) as store:
                while True:
                    time.sleep(ASK_S)
                    rows = store.query_rows(ROWS)
                    if rows and rows != last:
                        print(json.dumps([time.time(), rows]), flush=True)
                        last = rows
        except StoreError:
            # Not migrated yet.
            time.sleep(ASK_S)


if __name__ == "__main__":
    main()
