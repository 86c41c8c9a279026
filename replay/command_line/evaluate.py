"""`stillwatch replay evaluate`: a run against labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.options import Common, Json


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
        Print JSON, with every interval, the precision-recall curve and the calibration of scores.
    """
    from replay.evaluate import load_and_evaluate
    from replay.truth import labels_of_file, labels_of_store

    truth = labels_of_file(labels) if labels is not None else None
    with store_of(common) as store:
        found = load_and_evaluate(store, run_id, labels_of_store(store) if truth is None else truth)
    if found.labels_of_unknown_accounts:
        print(
            f"stillwatch: {found.labels_of_unknown_accounts} labels are of accounts that run {run_id} has never seen "
            "and are left out: check that labels and run are of one stream",
            file=sys.stderr,
        )
    if json:
        from pipeline.command_line.show import print_json

        print_json(found)
    else:
        from replay.command_line.figures import print_evaluation

        print_evaluation(found)
    return 0
