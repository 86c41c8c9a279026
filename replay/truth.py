"""What is known to be true: labels from a file or from the store."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.incidents.honest import HONEST_KINDS, LOOK_ALIKES
from pipeline.store.client import Store
from pipeline.store.records import Label, read_labels
from replay.errors import ReplayError
from replay.window import moment

__all__ = ["HONEST_KINDS", "LOOK_ALIKES", "labels_of_file", "labels_of_store"]

COLUMNS = ("account_id", "start", "end", "kind", "campaign_id", "source", "note")


def labels_of_file(path: Path) -> list[Label]:
    """Labels of a CSV with the columns of the table `labels`. Raises `ReplayError` with the line that is wrong."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            missing = [name for name in COLUMNS[:4] if name not in (rows.fieldnames or ())]
            if missing:
                raise ReplayError(f"{path}: the first line names no column {', '.join(missing)}")
            return [_label(row, f"{path}:{rows.line_num}") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReplayError(f"{path}: labels cannot be read: {error}") from error


def labels_of_store(store: Store) -> list[Label]:
    """Labels of the table. Raises `ReplayError` when there are none."""
    labels = read_labels(store)
    if not labels:
        raise ReplayError("the table labels is empty: give --labels FILE, or record verdicts with `stillwatch label`")
    return labels


def _label(row: dict[str, str], where: str) -> Label:
    try:
        start, end = moment(row["start"]), moment(row["end"])
    except (ValueError, TypeError):
        raise ReplayError(f"{where}: start and end must be times such as 2024-12-01T08:00:00Z") from None
    if not row["account_id"] or not row["kind"]:
        raise ReplayError(f"{where}: account_id and kind must not be empty")
    if start > end:
        raise ReplayError(f"{where}: start {row['start']} is after end {row['end']}")
    campaign_id, source, note = (row.get(name) or "" for name in ("campaign_id", "source", "note"))
    return Label(
        account_id=row["account_id"],
        start=start,
        end=end,
        kind=row["kind"],
        campaign_id=campaign_id,
        source=source,
        note=note,
    )
