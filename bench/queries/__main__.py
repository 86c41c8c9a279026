"""An analyst's ten main queries over many events: makes a store once, asks, and prints how long the answers took.

`python -m bench.queries [--events N] [--store chdb:FOLDER]`. A store that holds as many events already is used as it is. Each
query is asked several times, of other accounts and days, by a read-only connection as `stillwatch sql` has it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from statistics import quantiles
from typing import Any

from bench.speed.report import Figure, as_json, at_most, show
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.store.queries import query

DAYS = 31
CALLS_PER_ACCOUNT_AND_DAY = 32
#: Calls that one statement makes; more would need more memory.
PIECE = 2_000_000
WINDOWS_S = (60, 600, 3600, 86_400)
FIRST_DAY = date(2024, 12, 1)
TARGET_S = 1.0
RESULTS = Path(__file__).parents[1] / "results" / "queries.json"
#: The questions, by where their SQL is: the program's own, or this folder's.
OWN = {
    "top accounts of a week": "top",
    "an account day by day": "explain_activity",
    "an account's strangest windows": "explain_windows",
}
OWN["open incidents"] = "incidents"
OTHERS = {
    "who draws more than last week": "q_week",
    "why an account": "q_reasons",
    "who shares address or payment": "q_sharing",
    "traffic of a day by minute": "q_traffic",
    "models of suspects and others": "q_models",
    "calls of an account with scores": "q_calls",
}


def say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def text(name: str) -> str:
    return resources.files("bench.queries").joinpath("sql", f"{name}.sql").read_text()


def fill(store: Store, events: int, accounts: int) -> None:
    """Make the rows of `events` calls over a month, and let the merges come to rest."""
    per_day = events // DAYS
    for day in range(DAYS):
        began = time.perf_counter()
        where = {"day": day, "accounts": accounts, "calls": per_day}
        store.command(text("fill_calls"), where, settings={"max_insert_threads": 2, "max_memory_usage": 8 << 30})
        store.command(text("fill_scores"), where)
        for window_s in WINDOWS_S:
            store.command(text("fill_windows"), {**where, "window_s": window_s})
        say(f"day {day + 1} of {DAYS} made in {time.perf_counter() - began:.0f} s")
    store.command(text("fill_incidents"), {"accounts": accounts, "days": DAYS})
    while store.query_rows("SELECT count() FROM system.merges")[0][0]:
        time.sleep(1)


def questions(accounts: int, repeat: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, SQL and parameters of every question, each `repeat` times."""
    choose = random.Random(7)
    for _ in range(repeat):
        # The busiest accounts have the lowest numbers; every fiftieth account shares its means of payment with others.
        number = choose.choice(
            [choose.randrange(accounts // 100), choose.randrange(accounts), choose.randrange(accounts // 50) * 50]
        )
        asked = {
            "run_id": "live",
            "days": 7,
            "limit": 20,
            "status": "open",
            "entity": "",
            "account": f"acct_{number:08d}",
            "day": FIRST_DAY + timedelta(days=choose.randrange(DAYS)),
        }
        for name, file in OWN.items():
            yield name, query(file), asked
        for name, file in OTHERS.items():
            yield name, text(file), asked


def main() -> None:
    options = _options()
    accounts = max(2_500, options.events // (DAYS * CALLS_PER_ACCOUNT_AND_DAY))
    found: dict[str, list[float]] = {}
    empty: dict[str, int] = {}
    with connect(options.store) as store:
        migrate(store)
        held = store.query_rows("SELECT count() FROM api_calls")[0][0]
        if held < options.events * 0.99:
            if held:
                raise SystemExit(
                    f"bench: {options.store} holds {held:,} events, not {options.events:,}; name an empty one"
                )
            say(f"{options.events:,} events of {accounts:,} accounts")
            fill(store, options.events, accounts)
        rows = store.query_rows(
            "SELECT table, sum(rows), sum(bytes_on_disk), count() FROM system.parts WHERE active AND database = 'stillwatch' "
            "GROUP BY table ORDER BY table"
        )
        say(", ".join(f"{table} {count:,} rows in {parts} parts" for table, count, _, parts in rows))
        with store.read_only() as reader:
            for name, sql, asked in questions(accounts, options.repeat):
                began = time.perf_counter()
                answer = reader.query_rows(sql, {key: value for key, value in asked.items() if f"{{{key}:" in sql})
                found.setdefault(name, []).append(time.perf_counter() - began)
                empty[name] = empty.get(name, 0) + (not answer)
    for name, count in empty.items():
        if count:
            say(f"{name}: {count} of {options.repeat} answers were empty")
    figures = [_figure(name, seconds) for name, seconds in found.items()]
    every = [one for seconds in found.values() for one in seconds]
    figures.append(at_most("all ten, p95", quantiles(every, n=20)[-1], TARGET_S, "s"))
    show(figures, title=f"Stillwatch: {options.events:,} events")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps(as_json(figures, {"seconds": found, "tables": rows}, quick=False), indent=1, default=str)
    )


def _figure(name: str, seconds: list[float]) -> Figure:
    cuts = quantiles(seconds, n=20)
    return at_most(name, cuts[-1], TARGET_S, "s", f" (p95; half within {cuts[9]:.2f} s)")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--store", default="chdb:.stillwatch/bench-queries", help="made once and kept")
    parser.add_argument("--repeat", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
