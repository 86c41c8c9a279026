"""The corpus: 58 series with anomaly windows, the profiles, and what was published about other detectors."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.detection.nab.scoring import Costs, FileScore

#: Beside a checkout, unless an option or the environment says otherwise.
DEFAULT_DATA = "../shared/data"


class DataError(Exception):
    """The benchmark's data are not where they were looked for; one line."""


@dataclass(frozen=True, slots=True)
class Series:
    """A file of the corpus: N rows in order of time."""

    name: str
    timestamps: NDArray[np.datetime64]
    """(N,) to the second, without zone."""
    values: NDArray[np.float64]
    """(N,)."""
    windows: tuple[tuple[int, int], ...]
    """First and last row of each anomaly window."""


def data_folder(given: str | None = None) -> Path:
    """The folder `nab` of the data: of `given`, else of STILLWATCH_DATA, else of the folder beside the checkout.

    Raises `DataError` when it is not there.
    """
    root = Path(given or os.environ.get("STILLWATCH_DATA") or Path(__file__).parents[3] / DEFAULT_DATA)
    folder = root / "nab"
    if not (folder / "nab_data.tar.gz").exists():
        raise DataError(
            f"no nab_data.tar.gz in {folder}: give the folder of the data with --data or STILLWATCH_DATA "
            "(bench/detection/README.md says what it holds)"
        )
    return folder


def load_series(folder: Path) -> list[Series]:
    """Every series, sorted by name."""
    windows = json.loads((folder / "labels/combined_windows.json").read_text())
    found = [
        _series(name.removeprefix("data/"), text, windows[name.removeprefix("data/")])
        for name, text in _members(folder / "nab_data.tar.gz")
        if name.removeprefix("data/") in windows
    ]
    return sorted(found, key=lambda one: one.name)


def load_profiles(folder: Path) -> dict[str, Costs]:
    """The costs of each profile."""
    profiles = json.loads((folder / "config/profiles.json").read_text())
    return {
        name: Costs(weights["tpWeight"], weights["fpWeight"], weights["fnWeight"])
        for name, weights in ((name, profile["CostMatrix"]) for name, profile in profiles.items())
    }


def load_published(folder: Path) -> dict[str, dict[str, float]]:
    """The normalised score of each detector and profile."""
    published: dict[str, dict[str, float]] = json.loads((folder / "results/final_results.json").read_text())
    return published


def load_published_thresholds(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """`threshold` and raw `score` of the corpus, of each detector and profile."""
    thresholds: dict[str, dict[str, dict[str, float]]] = json.loads((folder / "config/thresholds.json").read_text())
    return thresholds


def load_published_files(folder: Path) -> dict[tuple[str, str], dict[str, FileScore]]:
    """Of each detector and profile what each series scored; under the name "" the totals."""
    tables: dict[tuple[str, str], dict[str, FileScore]] = {}
    for name, text in _members(folder / "results/per_detector_file_scores.tar.gz"):
        detector = name.split("/")[1]
        profile = name.rsplit("/", 1)[1].removeprefix(f"{detector}_").removesuffix("_scores.csv")
        table = tables[detector, profile] = {}
        for row in csv.DictReader(io.StringIO(text)):
            counts = (int(row[key]) for key in ("TP", "TN", "FP", "FN"))
            table[row["File"]] = FileScore(float(row["Score"]), *counts)
    return tables


def load_published_rows(folder: Path) -> Mapping[str, NDArray[np.float64]]:
    """The anomaly scores of others row by row, under `detector/series`. Raises `DataError` when this optional file is absent."""
    path = folder / "results/row_scores.npz"
    if not path.exists():
        raise DataError(f"no {path}, which is optional: bench/detection/README.md says what it holds")
    rows: Mapping[str, NDArray[np.float64]] = np.load(path)
    return rows


def _members(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".csv") else None
            if content is not None:
                yield member.name, content.read().decode()


def _series(name: str, text: str, windows: list[tuple[str, str]]) -> Series:
    rows = list(csv.DictReader(io.StringIO(text)))
    timestamps = np.array([row["timestamp"] for row in rows], "datetime64[s]")
    values = np.array([float(row["value"]) for row in rows])
    return Series(name, timestamps, values, tuple((_row_of(timestamps, a), _row_of(timestamps, b)) for a, b in windows))


def _row_of(timestamps: NDArray[np.datetime64], text: str) -> int:
    # The first of several rows of one time, as the published scores have it.
    return int(np.flatnonzero(timestamps == np.datetime64(text, "s"))[0])
