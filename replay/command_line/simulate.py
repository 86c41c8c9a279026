"""`stillwatch simulate`: writes a labelled scenario."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.command_line.errors import Failure, Misuse


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
) -> int:
    """Write a labelled scenario as events, in the order of time. One seed gives one file, byte for byte.

    Parameters
    ----------
    scenario
        late-2024.
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
    """
    from replay.errors import ReplayError
    from replay.scenarios import generate
    from replay.scenarios.write import write_events, write_labels
    from replay.window import moment

    try:
        start_ms = moment(start)
    except ValueError:
        raise Misuse(f"--start {start!r} is not a day: write 2024-12-01") from None
    try:
        simulation = generate(
            scenario, accounts=accounts, days=days, seed=seed, start_ms=start_ms, rate_scale=rate_scale
        )
    except ReplayError as error:
        raise Misuse(str(error)) from None
    try:
        written = write_events(simulation.calls(), output)
        if labels is not None:
            write_labels(simulation.labels, labels)
    except OSError as error:
        raise Failure(f"{error.filename or output}: cannot be written: {error.strerror or error}") from error
    kinds = sorted({label.kind for label in simulation.labels})
    counts = ", ".join(f"{sum(label.kind == kind for label in simulation.labels)} {kind}" for kind in kinds)
    print(f"stillwatch: {written:,} events to {output}; accounts that extract: {counts}", file=sys.stderr)
    return 0
