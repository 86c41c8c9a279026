"""Simulated streams: replayed seed by seed, scored by the baselines meanwhile, then judged all together."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from typing import Any

from rich.console import Console

from bench.detection.baselines import BASELINES
from bench.detection.comparison import compare, score
from bench.detection.report import heading, show_comparison, show_figures
from bench.detection.stream import Plan, Stream, added_up, measure
from bench.detection.targets import figures
from bench.detection.windows import HOUR_S, Float64
from pipeline.store.client import Store


def say(line: str) -> None:
    """Tell on standard error how far it is."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


def run(plan: Plan, seeds: tuple[int, ...], store: Store, console: Console) -> dict[str, Any]:
    """Replay the streams into the store, print the tables and give back the figures."""
    streams, scores = _measured(plan, seeds, store)
    whole = added_up(streams)
    table, evaluation = figures(whole), whole.evaluate()
    title = heading(plan.scenario, seeds, whole.accounts, len(whole.extracting), whole.account_days)
    show_figures(table, title, console)
    on = ", ".join(f"{count} {kind}" for kind, count in evaluation.false_alerts_by_kind.items())
    console.print(f"false alerts on look-alikes: {on or 'none'}", highlight=False, soft_wrap=True)
    compared = compare(whole, streams, scores)
    show_comparison(compared, console)
    return {
        "scenario": plan.scenario,
        "accounts": plan.accounts,
        "days": plan.days,
        "seeds": seeds,
        "events": whole.events,
        "replay_seconds": whole.seconds,
        "figures": [{**asdict(one), "reached": one.reached} for one in table],
        "evaluation": evaluation,
        "comparison": [asdict(one) for one in compared],
    }


def _measured(
    plan: Plan, seeds: tuple[int, ...], store: Store
) -> tuple[list[Stream], dict[str, list[tuple[Float64, float]]]]:
    # Each seed's stream, and what each baseline that is installed says of it.
    streams: list[Stream] = []
    pending: dict[str, list[Future[tuple[Float64, float] | str]]] = {one.name: [] for one in BASELINES}
    # chDB does not survive a fork.
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        for seed in seeds:
            say(f"{plan.scenario}, seed {seed}: {plan.accounts:,} accounts, {plan.days} days")
            stream = measure(plan, seed, store)
            say(f"{stream.events:,} events replayed in {stream.seconds:.0f} s")
            streams.append(stream)
            for one in BASELINES:
                windows = stream.hours if one.window_s == HOUR_S else stream.days
                pending[one.name].append(pool.submit(score, one, windows))
        say("baselines")
        scores: dict[str, list[tuple[Float64, float]]] = {}
        for name, futures in pending.items():
            for future in futures:
                result = future.result()
                if isinstance(result, str):
                    say(result)
                    break
                scores.setdefault(name, []).append(result)
    return streams, scores
