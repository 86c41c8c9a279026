"""`stillwatch simulate`: writes a labelled scenario."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.command_line.errors import Failure, Misuse

if TYPE_CHECKING:
    from pipeline.store.records import Label


def simulate(
    scenario: str,
    /,
    *,
    output: Annotated[str, Parameter(name=("--output", "-o"), allow_leading_hyphen=True)],
    labels: Annotated[Path | None, Parameter(name="--labels")] = None,
    accounts: Annotated[int, Parameter(name="--accounts")] = 300,
    days: Annotated[int, Parameter(name="--days")] = 31,
    seed: Annotated[int, Parameter(name="--seed")] = 1,
    start: Annotated[str, Parameter(name="--start")] = "2024-12-01",
    rate_scale: Annotated[float, Parameter(name="--rate-scale")] = 1.0,
    prevalence: Annotated[float | None, Parameter(name="--prevalence")] = None,
    kinds: Annotated[str | None, Parameter(name="--kinds")] = None,
    pool_size: Annotated[int | None, Parameter(name="--pool-size")] = None,
    pool_rate: Annotated[str | None, Parameter(name="--pool-rate")] = None,
    benign: Annotated[float | None, Parameter(name="--benign")] = None,
    label_benign: Annotated[bool, Parameter(name="--label-benign", negative="")] = False,
) -> int:
    """Write a labelled scenario as events, in the order of time. One seed gives one file, byte for byte.

    Parameters
    ----------
    scenario
        late-2024, or mixed: every kind of extraction and every look-alike.
    output
        File of events, JSON lines; .gz and .zst compress; - is standard output.
    labels
        File of labels, CSV.
    accounts
        Number of accounts, about.
    days
        Days from the start.
    seed
        Seed of everything random.
    start
        First day, UTC.
    rate_scale
        Factor on all rates.
    prevalence
        Share of the accounts that extract, from 0 to 1.
    kinds
        Kinds of extraction, with commas between: heavy,pool.
    pool_size
        Accounts of each pool.
    pool_rate
        Calls a day of a member of a pool, at least and at most: 13..730.
    benign
        Share of the accounts that are made to look like extraction and are not.
    label_benign
        Label look-alikes too, as kinds that evaluation takes for honest.
    """
    from replay.errors import ReplayError
    from replay.scenarios import Mix, parts
    from replay.scenarios.spool import spooled
    from replay.scenarios.write import write_events, write_labels
    from replay.window import moment

    try:
        start_ms = moment(start)
    except ValueError:
        raise Misuse(f"--start {start!r} is not a day: write 2024-12-01") from None
    mix = Mix(
        prevalence=prevalence,
        kinds=None if kinds is None else tuple(kind.strip() for kind in kinds.split(",")),
        benign=benign,
        pool_size=pool_size,
        pool_rate=None if pool_rate is None else _range(pool_rate),
        label_benign=label_benign,
    )
    try:
        made = parts(
            scenario, accounts=accounts, days=days, seed=seed, start_ms=start_ms, rate_scale=rate_scale, mix=mix
        )
    except ReplayError as error:
        raise Misuse(str(error)) from None
    try:
        with spooled(made) as simulation:
            written = write_events(simulation.calls(), output)
            if labels is not None:
                write_labels(simulation.labels, labels)
    except OSError as error:
        raise Failure(f"{error.filename or output}: cannot be written: {error.strerror or error}") from error
    print(f"stillwatch: {written:,} events to {output}; {_counted(simulation.labels)}", file=sys.stderr)
    return 0


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", text)
    if found is None:
        raise Misuse(f"--pool-rate {text!r} is no range: write 13..730")
    return int(found[1]), int(found[2])


def _counted(labels: Iterable[Label]) -> str:
    from replay.truth import HONEST_KINDS

    counts = Counter(label.kind for label in labels)
    told = {True: "accounts that extract", False: "that look alike"}
    texts = []
    for extracts, name in told.items():
        found = [f"{counts[kind]} {kind}" for kind in sorted(counts) if (kind not in HONEST_KINDS) == extracts]
        if found or extracts:
            texts.append(f"{name}: {', '.join(found) or 'none'}")
    return "; ".join(texts)
