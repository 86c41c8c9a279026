"""`stillwatch demo`: the whole path on this machine alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

if TYPE_CHECKING:
    from replay.demo import Place, Progress

_QUERIES = ("demo_volume", "demo_together", "demo_incidents")
_SAY_EVERY_S = 5.0


def demo(
    *,
    accounts: Annotated[int, Parameter(name="--accounts")] = 300,
    days: Annotated[int, Parameter(name="--days")] = 31,
    seed: Annotated[int, Parameter(name="--seed")] = 7,
    folder: Annotated[Path, Parameter(name="--folder")] = Path(".stillwatch/demo"),
    console: Annotated[bool, Parameter(name="--console", negative=())] = False,
    console_port: Annotated[
        int, Parameter(name="--console-port", validator=validators.Number(gte=0, lte=65535))
    ] = 8600,
) -> int:
    """Simulate December 2024, stream it through broker, worker and store, and show what was found.

    Everything runs on this machine; nothing is left running. The folder is replaced.

    Parameters
    ----------
    accounts
        Number of simulated accounts, about.
    days
        Days from 2024-12-01.
    seed
        Seed of the simulation.
    folder
        Where events, labels and store are kept.
    console
        At the end serve the console on what was found, until Ctrl-C.
    console_port
        Port of the console; 0 takes any free one.
    """
    from replay.command_line.stopping import sigterm_interrupts
    from replay.demo import Place, running_worker, simulate, stream

    began = time.monotonic()
    place = Place(folder)
    place.clear()
    _say(f"1. simulate late-2024: {accounts} accounts, {days} days, seed {seed}")
    with _bar("simulated", None) as show:
        events = simulate(place, accounts=accounts, days=days, seed=seed, wrote=lambda count: show(count, ""))
    _say(f"   {events:,} events in {place.events}, the truth about them in {place.labels}")
    _say("2. start the embedded broker, the store and the worker")
    with sigterm_interrupts(), running_worker(place) as worker:
        _say("3. ingest the events and score them")
        with _bar("scored", events) as show:
            before = 0

            def update(_: int, now: Progress) -> None:
                nonlocal before
                show(now.scored - before, f"{now.incidents} changes of incidents")
                before = now.scored

            seconds = stream(place, worker, events, update)
        _say(f"   {events:,} events sent and scored in {seconds:.1f} s, {events / seconds:,.0f}/s")
        _say("4. stop the worker: it drains, writes and commits")
    _report(place)
    _say(f"everything is stopped; {time.monotonic() - began:.0f} s in all. Ask more:")
    _say(f"   stillwatch top --store chdb:{place.store}")
    _say(f"   stillwatch replay run --run-id again --store chdb:{place.store}")
    if not console:
        _say(f"   stillwatch console --store chdb:{place.store}")
        return 0
    from pipeline.command_line.console import console as serve
    from pipeline.command_line.options import Common

    return serve(port=console_port, worker="", common=Common(store=f"chdb:{place.store}"))


def _report(place: Place) -> None:
    from pipeline.command_line.analyst import explain, top
    from pipeline.command_line.options import Common
    from pipeline.command_line.show import print_table
    from pipeline.store.analysis import top_accounts
    from pipeline.store.client import connect
    from pipeline.store.records import write_labels
    from replay.command_line.figures import print_evaluation
    from replay.evaluate import load_and_evaluate
    from replay.queries import query
    from replay.truth import labels_of_file

    common = Common(store=f"chdb:{place.store}")
    labels = labels_of_file(place.labels)
    with connect(f"chdb:{place.store}") as store:
        write_labels(store, labels)
        first = top_accounts(store, "live", days=31, limit=1)
        evaluation = load_and_evaluate(store, "live", labels)
        answers = []
        for name in _QUERIES:
            table = store.query_arrow(query(name))
            answers.append((query(name).strip(), table.column_names, [list(row.values()) for row in table.to_pylist()]))
    _say("\n5. the accounts most at risk (stillwatch top)")
    top(days=31, limit=8, common=common)
    if first:
        _say("\n6. why the first of them (stillwatch explain)")
        explain(first[0]["account_id"], common=common)
    _say("\n7. found and missed, against the truth (stillwatch replay evaluate live)")
    print_evaluation(evaluation)
    _say("\n8. three questions to paste into stillwatch sql")
    for sql, names, rows in answers:
        _say("\n" + sql)
        print_table("", names, rows)
    _say("")


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """A bar on a terminal; elsewhere a line every few seconds."""
    if sys.stdout.isatty():
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), transient=True) as progress:
            task = progress.add_task(what, total=total, note="")
            yield lambda count, note: progress.update(task, advance=count, note=note)
        return
    done, told = 0, time.monotonic()

    def tell(count: int, note: str) -> None:
        nonlocal done, told
        done += count
        if time.monotonic() - told >= _SAY_EVERY_S:
            told = time.monotonic()
            of = f" of {total:,}" if total else ""
            _say(f"   {done:,}{of} {what}" + (f", {note}" if note else ""))

    yield tell
