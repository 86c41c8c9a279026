"""Runs every measurement, prints the table and writes `bench/results/latest.json`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.speed import ingest, latency, start, whole_worker
from bench.speed.place import TOPIC, broker, measured, write_events, write_many_accounts
from bench.speed.report import Figure, as_json, at_least, at_most, show

SAME_WORK = ("handwritten", "stillwatch", "stillwatch_river", "quix", "bytewax_flow", "plain_faust")
TARGETS = {"quix": 1.3, "bytewax_flow": 2.5, "plain_faust": 4.0, "handwritten": 0.85}
RESULTS = Path(__file__).parents[1] / "results" / "latest.json"
GIB = 1 << 30
#: Topic of the calls of many accounts.
MANY = "api-calls-of-many"
Raw = dict[str, Any]


def say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def main() -> None:
    options = _options()
    same, whole = (10_000, 10_000) if options.quick else (50_000, 200_000)
    rounds = options.rounds or (1 if options.quick else 3)
    raw: Raw = {"rounds": []}
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        events = Path(folder) / "events.jsonl"
        say(f"{max(same, whole):,} events of the scenario late-2024")
        write_events(events, max(same, whole))
        with broker(Path(folder), options.broker) as server:
            say("ingest")
            raw["ingest"] = ingest.run(events, server)
            for number in range(rounds):
                say(f"round {number + 1} of {rounds}")
                raw["rounds"].append(_round(server, events, same, whole))
            many = 10_000 if options.quick else 100_000
            say(f"a worker with {many:,} active accounts")
            write_many_accounts(events, whole, many)
            ingest.run(events.with_suffix(".many"), server, MANY)
            raw["many"] = whole_worker.run(server, whole, MANY)
            say(f"latency at {latency.RATE:,} events/s")
            raw["latency"] = latency.run(server, events)
        say("start")
        raw["help_s"] = [start.help_seconds() for _ in range(7)]
        raw["ready_s"] = start.worker_ready_seconds()
    for count in [1_000, 10_000] if options.quick else [1_000, 10_000, 100_000, 1_000_000]:
        say(f"{count:,} accounts")
        raw.setdefault("accounts", {})[str(count)] = measured("bench.speed.many_accounts", count)
    say(f"states of {many:,} accounts")
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        raw["states"] = measured("bench.speed.recovery", "write", f"{folder}/store", many)
        raw["recovery"] = measured("bench.speed.recovery", "read", f"{folder}/store")
    figures = _figures(raw)
    show(figures)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(as_json(figures, raw, options.quick), indent=1))
    say(f"written to {RESULTS}")


def _round(server: str, events: Path, same: int, whole: int) -> Raw:
    found: Raw = {name: measured(f"bench.speed.same_work.{name}", server, TOPIC, same) for name in SAME_WORK}
    found["engine"] = measured("bench.speed.engine_alone", events, whole)
    found["worker"] = whole_worker.run(server, whole)
    for name, result in found.items():
        if "error" in result:
            say(f"{name}: {result['error']}")
    return found


def _figures(raw: Raw) -> list[Figure]:
    rounds = raw["rounds"]
    figures: list[Figure] = []

    def middle(name: str, *keys: str) -> float:
        """Median over the rounds of events per second of the sum of `keys`; 0 where it failed."""
        one = [r[name]["events"] / sum(r[name][key] for key in keys) for r in rounds if "error" not in r[name]]
        return median(one) if one else 0.0

    def ratio(first: float, second: float) -> float:
        return first / second if second else 0.0

    base = middle("handwritten", "seconds")
    for name in SAME_WORK:
        if not middle(name, "seconds"):
            figures.append(Figure(f"same work: {name}", "failed, see above"))
            continue
        text = f"{middle(name, 'seconds'):,.0f}/s  ({middle(name, 'cpu_seconds'):,.0f} per CPU second)"
        figures.append(Figure(f"same work: {name}", text))
    ours = middle("stillwatch", "seconds")
    for name, target in TARGETS.items():
        figures.append(at_least(f"same work: stillwatch / {name}", ratio(ours, middle(name, "seconds")), target))
    worker = middle("worker", "seconds")
    cpu = middle("worker", "cpu_seconds")
    figures.append(Figure("whole worker, broker to chDB", f"{worker:,.0f}/s  ({cpu:,.0f} per CPU second)"))
    figures.append(at_least("whole worker / handwritten", ratio(worker, base), 0.5))
    for name, keys in {
        "scoring": ("score_s",),
        "columns and scoring": ("columns_s", "score_s"),
        "decoding, columns and scoring": ("decode_s", "columns_s", "score_s"),
    }.items():
        value = middle("engine", *keys)
        figures.append(Figure(f"engine alone: {name}", f"{value:,.0f}/s"))
        figures.append(at_least(f"engine alone: {name} / handwritten", ratio(value, base), 0.7))
    stored = [r["worker"]["bytes_per_event"] for r in rounds if "error" not in r["worker"]]
    if stored:
        figures.append(at_most("store: bytes per stored and scored event", median(stored), 60, "B"))
        with_windows = median(r["worker"]["bytes_with_windows"] for r in rounds if "error" not in r["worker"])
        figures.append(Figure("store: the same and the windows that it fills", f"{with_windows:.1f} B"))
        resident = max(r["worker"]["rss_bytes"] for r in rounds if "error" not in r["worker"])
        figures.append(Figure("whole worker: memory, 500 accounts", f"{resident / GIB:,.2f} GiB"))
    return (
        figures
        + _figures_of_many(raw["many"])
        + _figures_of_latency(raw["latency"])
        + _figures_of_accounts(raw["accounts"])
        + _figures_of_states(raw["states"], raw["recovery"])
        + _figures_of_programs(raw)
    )


def _figures_of_many(found: Raw) -> list[Figure]:
    if "error" in found:
        return [Figure("whole worker, many accounts", f"failed: {found['error']}")]
    accounts = f"{found['accounts']:,} active accounts"
    rate = found["events"] / found["seconds"]
    return [
        Figure(f"whole worker, {accounts}", f"{rate:,.0f}/s"),
        at_most(f"whole worker: memory, {accounts}", found["rss_bytes"] / 1e9, 1.5, "GB"),
    ]


def _figures_of_latency(found: Raw) -> list[Figure]:
    if "error" in found:
        return [Figure("latency", f"failed: {found['error']}")]
    figures = [
        Figure("latency: events/s sent, incidents seen", f"{found['rate']:,.0f}/s, {found['incidents']['count']}")
    ]
    for what, name, targets in (
        ("incidents", "produced to incident on the topic", {"p50": 0.2, "p99": 1.0}),
        ("rows", "produced to row visible by SQL", {"p50": 1.0, "p99": 2.5}),
    ):
        for percentile, target in targets.items():
            if percentile in found[what]:
                figures.append(at_most(f"latency: {name}, {percentile}", found[what][percentile], target, "s"))
    return figures


def _figures_of_states(written: Raw, recovered: Raw) -> list[Figure]:
    if "error" in written or "error" in recovered:
        return [Figure("states", f"failed: {written.get('error') or recovered.get('error')}")]
    accounts = f"{int(recovered['accounts']):,} accounts"
    return [
        at_most(f"states: an account of {accounts}, checkpointed", written["bytes_per_account"] / 1024, 2, "KiB"),
        at_most(f"states: recovery of {accounts}", recovered["seconds"], 10, "s"),
    ]


def _figures_of_accounts(found: dict[str, Raw]) -> list[Figure]:
    good = {int(count): result for count, result in found.items() if "error" not in result}
    figures = [
        Figure(f"engine: an event with {count:,} accounts", f"{result['microseconds_per_event']:.1f} us")
        for count, result in good.items()
    ]
    if good:
        costs = [result["microseconds_per_event"] for result in good.values()]
        figures.append(at_most(f"engine: growth up to {max(good):,} accounts", max(costs) / min(costs), 1.3, ""))
        largest = good[max(good)]
        figures.append(Figure(f"engine: memory, {max(good):,} accounts", f"{largest['rss_bytes'] / GIB:.2f} GiB"))
        figures.append(at_most("engine: state of an account", largest["bytes_per_account"] / 1024, 10, "KiB"))
    return figures


def _figures_of_programs(raw: Raw) -> list[Figure]:
    sent = raw["ingest"]
    return [
        at_least("ingest: whole program, events/s", sent["events"] / sent["seconds"], 100_000),
        at_least("ingest: sending alone, events/s", sent["events"] / sent["sending_seconds"], 100_000),
        at_most("stillwatch --help", median(raw["help_s"]), 0.3, "s"),
        at_most("worker ready, embedded broker", raw["ready_s"], 10, "s"),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 events, one round, up to 10,000 accounts")
    parser.add_argument("--rounds", type=int, help="rounds of which the medians are taken; 3, with --quick 1")
    parser.add_argument("--broker", metavar="HOST:PORT", help="Apache Kafka with no topic api-calls yet; else embedded")
    return parser.parse_args()


if __name__ == "__main__":
    main()
