"""`python -m bench.detection.nab [--data FOLDER] [--json FILE]`: Stillwatch on the benchmark, beside what is published."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from bench.detection.nab.corpus import DataError, data_folder, load_published
from bench.detection.nab.measure import Figures, measure
from bench.detection.nab.report import show


def run(data: str | None = None, console: Console | None = None) -> Figures:
    """Measure, print and give back the figures. Raises `DataError` when the data are absent."""
    folder = data_folder(data)
    figures = measure(folder)
    show(figures, load_published(folder), console or Console())
    return figures


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.detection.nab", description=__doc__)
    parser.add_argument("--data", metavar="FOLDER", help="has the folder nab; else STILLWATCH_DATA")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the figures are written to as well")
    options = parser.parse_args()
    try:
        figures = run(options.data)
    except DataError as error:
        sys.exit(f"bench: {error}")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))


if __name__ == "__main__":
    main()
