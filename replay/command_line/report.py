"""`stillwatch replay report`: runs as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common


def report(
    *runs: str,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    labels: Annotated[Path | None, Parameter(name="--labels")] = None,
    accounts: Annotated[int, Parameter(name="--accounts")] = 12,
    common: Common | None = None,
) -> int:
    """Write one HTML page that shows a run, and how others compare with it; it needs no network and no other file.

    Parameters
    ----------
    runs
        Name of the run that is shown, then of those to compare it with; live is the stream.
    output
        The file to write.
    labels
        CSV with the columns of the table labels; the table itself by default.
    accounts
        Most accounts shown with charts.
    """
    from pipeline.store.records import read_labels
    from replay.report.page import report as page
    from replay.truth import labels_of_file

    if not runs:
        raise Misuse("replay report: name at least one run")
    if accounts < 0:
        raise Misuse(f"--accounts {accounts} is below 0")
    truth = labels_of_file(labels) if labels is not None else None
    _require_place(output)
    with store_of(common) as store:
        text = page(store, runs, read_labels(store) if truth is None else truth, most_accounts=accounts)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(_cannot_write(output, error.strerror)) from error
    print(f"{output}: {len(text.encode()) / 1000:,.0f} kB")
    return 0


def _require_place(output: Path) -> None:
    # Before the store is read, which may take a while.
    if output.is_dir():
        raise Failure(_cannot_write(output, "it is a folder"))
    if not output.absolute().parent.is_dir():
        raise Failure(_cannot_write(output, f"there is no folder {output.absolute().parent}"))


def _cannot_write(output: Path, why: str | None) -> str:
    return f"{output} cannot be written: {why}; give another file with --output"
