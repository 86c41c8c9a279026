"""`stillwatch replay evaluate` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.options import Common

Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative=())]


def evaluate(
    run_id: str,
    /,
    *,
    labels: Annotated[Path | None, Parameter(name="--labels")] = None,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Score a run against labels: recall, precision, false alerts, time to detect, and what had leaked.

    Parameters
    ----------
    run_id
        Name of the run; live is the stream.
    labels
        CSV with the columns of the table labels; the table itself by default.
    json
        Print JSON.
    """
    from replay.command_line.figures import print_evaluation
    from replay.evaluate import load_and_evaluate
    from replay.truth import labels_of_file, labels_of_store

    truth = labels_of_file(labels) if labels is not None else None
    with store_of(common) as store:
        found = load_and_evaluate(store, run_id, labels_of_store(store) if truth is None else truth)
    if json:
        _print_json(found)
    else:
        print_evaluation(found)
    return 0


def compare(a: str, b: str, /, *, json: Json = False, common: Common | None = None) -> int:
    """Compare two runs: counts, incidents gained and lost, earlier and later, and how far scores moved.

    Parameters
    ----------
    a
        Name of the run to compare with; live is the stream.
    b
        Name of the run that is compared.
    json
        Print JSON.
    """
    from replay.command_line.figures import print_comparison
    from replay.compare import load_and_compare

    with store_of(common) as store:
        found = load_and_compare(store, a, b)
    if json:
        _print_json(found)
    else:
        print_comparison(found)
    return 0


def _print_json(value: object) -> None:
    from pipeline.command_line.show import print_json

    print_json(value)
