"""`python -m bench.detection`: Stillwatch against its targets and beside baselines, on simulated streams, real traffic and the
Numenta Anomaly Benchmark."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from bench.detection.nab.__main__ import run as run_nab
from bench.detection.nab.corpus import DataError, data_folder
from bench.detection.real import watch_real_traffic
from bench.detection.report import show_real
from bench.detection.simulated import run, say
from bench.detection.stream import Plan
from bench.detection.targets import POOL_RATE
from pipeline.store.client import connect
from pipeline.store.migrate import migrate
from replay.errors import ReplayError
from replay.scenarios import SCENARIOS, Mix
from replay.scenarios.mix import SMALLEST_POOL

RESULTS = Path(__file__).parents[1] / "results" / "detection.json"
#: Streams that nothing is tuned on: only this program simulates them.
SEEDS = (702_401, 702_402)
#: Under 3% of the accounts extract.
PREVALENCE = 0.028
ACCOUNTS, DAYS = 2_000, 30
#: Accounts of a pool; a handful with one card between them is a company to anybody who looks. Of small streams a part.
POOL_SIZE, SMALL_POOL = 30, 20
QUICK_ACCOUNTS, QUICK_DAYS = 200, 10


def main() -> None:
    """Read the options and run everything."""
    options = _options()
    accounts, days, seeds = (QUICK_ACCOUNTS, QUICK_DAYS, SEEDS[:1]) if options.quick else (ACCOUNTS, DAYS, SEEDS)
    accounts = options.accounts or accounts
    pool_size = max(SMALLEST_POOL, min(POOL_SIZE, accounts // SMALL_POOL))
    mix = Mix(prevalence=PREVALENCE, pool_rate=POOL_RATE, pool_size=pool_size, label_benign=True)
    plan = Plan(options.scenario, accounts, options.days or days, mix)
    console = Console() if sys.stdout.isatty() else Console(width=180)
    results: dict[str, Any] = {}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder,
            connect(f"chdb:{folder}/store") as store,
        ):
            migrate(store)
            results["simulated"] = run(plan, options.seeds or seeds, store, console)
    except ReplayError as error:
        sys.exit(f"bench: {error}")
    try:
        root = data_folder(options.data).parent
        say(f"real traffic in {root}")
        seen = watch_real_traffic(root)
        show_real(seen, console)
        results["real_traffic"] = [asdict(one) for one in seen]
        say("the Numenta Anomaly Benchmark")
        results["nab"] = asdict(run_nab(options.data, console))
    except DataError as absent:
        say(f"left out: {absent}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    say(f"written to {options.json}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.detection", description=__doc__)
    parser.add_argument("--accounts", type=int, help=f"accounts of each seed; {ACCOUNTS:,} unless given")
    parser.add_argument("--days", type=int, help=f"days of each seed; {DAYS} unless given")
    parser.add_argument("--seeds", type=_seeds, metavar="N,N", help=f"{SEEDS[0]},{SEEDS[1]} unless given")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="mixed")
    parser.add_argument("--data", metavar="FOLDER", help="the public data; else STILLWATCH_DATA")
    quick = f"one seed of {QUICK_ACCOUNTS} accounts and {QUICK_DAYS} days: shows that it runs"
    parser.add_argument("--quick", action="store_true", help=quick)
    where = "where the figures are written to as well"
    parser.add_argument("--json", metavar="FILE", type=Path, default=RESULTS, help=where)
    return parser.parse_args()


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
