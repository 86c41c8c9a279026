"""How fast replays are: two processes against one, and the store's events against the engine's own rate.

    python -m bench.replay [--quick] [--events N] [--rounds N]

Each figure is the median over rounds; each run is a program of its own, which replaces the rows of the one before.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench.speed.place import measured, write_events
from bench.speed.report import Figure, as_json, at_least, show
from pipeline.event import ApiCall, EventLimits, Rejected, decode, partition_of
from pipeline.settings import Settings
from pipeline.sources import SourceOptions
from pipeline.store.client import connect
from pipeline.store.migrate import migrate
from pipeline.store.rows import api_calls_table
from replay.drive import Manner
from replay.run import claim, replay
from replay.source import Intake, from_files, from_store
from replay.window import Window

RESULTS = Path(__file__).parent / "results" / "replay.json"
EVENTS, QUICK_EVENTS = 2_000_000, 150_000
#: Rows of a block that fills the store.
_BLOCK = 100_000
_RECEIVED_AT = 1_800_000_000_000


def say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def fill(folder: Path, events: Path) -> None:
    """A store with the events of a file in `api_calls`, placed as Kafka would have them."""
    partitions = Settings().stream.partitions
    waiting: list[list[ApiCall]] = [[] for _ in range(partitions)]
    written = [0] * partitions
    with connect(f"chdb:{folder}") as store:
        migrate(store)

        def write(number: int) -> None:
            calls, waiting[number] = waiting[number], []
            offsets = list(range(written[number], written[number] + len(calls)))
            written[number] += len(calls)
            rows = api_calls_table(
                calls, received_at=_RECEIVED_AT, topic="api-calls", partition=number, offsets=offsets
            )
            store.insert_arrow("api_calls", rows)

        for call in _calls(events):
            number = partition_of(call.account_id, partitions)
            waiting[number].append(call)
            if len(waiting[number]) >= _BLOCK:
                write(number)
        for number in range(partitions):
            if waiting[number]:
                write(number)


def _calls(events: Path) -> Iterator[ApiCall]:
    limits = EventLimits()
    with events.open("rb") as lines:
        for line in lines:
            call = decode(line, received_at=_RECEIVED_AT, limits=limits)
            if not isinstance(call, Rejected):
                yield call


def run(store_folder: str, processes: str, file: str = "") -> None:
    """One replay from the store, or of a file; prints what it took."""
    settings, intake = Settings(), Intake()
    partitions = settings.stream.partitions
    with connect(f"chdb:{store_folder}") as store:
        if file:
            options = SourceOptions(received_at=_RECEIVED_AT, limits=settings.event)
            source = from_files(
                [file], format_name="auto", options=options, partitions=partitions, window=Window(), intake=intake
            )
        else:
            source = from_store(store, partitions=partitions, window=Window(), intake=intake)
        claimed = claim(store, "bench", "clickhouse", Window(), settings.engine, overwrite=True)
        began = time.perf_counter()
        report = replay(
            source, intake, store=store, settings=settings, run=claimed, manner=Manner(processes=int(processes))
        )
        seconds = time.perf_counter() - began
    children, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "events": report.events,
                "seconds": seconds,
                "cpu_seconds": own.ru_utime + own.ru_stime,
                "cpu_seconds_of_engines": children.ru_utime + children.ru_stime,
            }
        )
    )


def _measure(events: int, rounds: int) -> dict[str, Any]:
    raw: dict[str, Any] = {"rounds": []}
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        file, filled = Path(folder) / "events.jsonl", Path(folder) / "filled"
        say(f"{events:,} events of the scenario late-2024")
        write_events(file, events)
        filling = measured("bench.replay", "--fill", filled, file)
        if "error" in filling:
            raise SystemExit(f"bench: {filling['error']}")
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            found = {"engine": measured("bench.speed.engine_alone", file, events)}
            for processes in (1, 2):
                for name, arguments in (("store", ()), ("file", (file,))):
                    found[f"{name} {processes}"] = measured("bench.replay", "--run", filled, processes, *arguments)
            for name, one in found.items():
                if "error" in one:
                    say(f"{name}: {one['error']}")
            raw["rounds"].append(found)
    return raw


def _figures(raw: dict[str, Any]) -> list[Figure]:
    def rate(name: str, *keys: str) -> float:
        good = [one[name] for one in raw["rounds"] if "error" not in one[name]]
        return median(one["events"] / sum(one[key] for key in keys) for one in good) if good else 0.0

    def ratio(first: float, second: float) -> float:
        return first / second if second else 0.0

    engine = rate("engine", "decode_s", "columns_s", "score_s")
    figures = [Figure("engine alone: decoding, columns and scoring", f"{engine:,.0f}/s")]
    for name in ("store", "file"):
        one, two = (rate(f"{name} {processes}", "seconds") for processes in (1, 2))
        figures += [
            Figure(f"replay of a {name}: one process", f"{one:,.0f}/s"),
            Figure(f"replay of a {name}: two processes", f"{two:,.0f}/s"),
            at_least(f"replay of a {name}: two processes / one", ratio(two, one), 1.7),
        ]
        if name == "store":
            figures.append(at_least("replay of a store / engine alone", ratio(max(one, two), engine), 0.9))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_EVENTS:,} events, one round")
    parser.add_argument("--events", type=int, help=f"{EVENTS:,} unless said")
    parser.add_argument("--rounds", type=int, help="rounds of which the medians are taken; 3, with --quick 1")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--fill", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(*map(Path, options.fill))
        print("{}")
        return
    if options.run:
        run(*options.run)
        return
    events = options.events or (QUICK_EVENTS if options.quick else EVENTS)
    raw = _measure(events, options.rounds or (1 if options.quick else 3))
    figures = _figures(raw)
    show(figures, "Stillwatch: replay")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(as_json(figures, raw, options.quick), indent=1))
    say(f"written to {RESULTS}")


if __name__ == "__main__":
    main()
