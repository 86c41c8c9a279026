"""Results on the terminal: tables in which nothing that came from outside can do harm, and JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pipeline.event.harmless import harmless


def cell(value: Any) -> str:
    """A value as a cell shows it: times in UTC to the second, large numbers in groups, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) >= 1000 or value == 0 else f"{value:.4g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return harmless(", ".join(map(str, value)))
    return harmless(str(value))


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], numeric: Sequence[bool] | None = None
) -> None:
    """Print a table; numbers to the right (`numeric` says which columns are). Cells are plain text, never markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    kept = list(rows)
    table = Table(title=Text(harmless(title)) if title else None, title_justify="left")
    for index, name in enumerate(columns):
        right = numeric[index] if numeric else all(isinstance(row[index], (int, float, type(None))) for row in kept)
        table.add_column(Text(harmless(name)), justify="right" if right and kept else "left", overflow="fold")
    for row in kept:
        table.add_row(*(Text(cell(value)) for value in row))
    # Into a file or a pipe the whole width goes, since nobody can widen it afterwards.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text that may hold what came from outside; each stays one line."""
    for line in lines:
        print(harmless(line, 2000))


def print_json(value: Any) -> None:
    """Print JSON, times as RFC 3339."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def total_bytes(files: Iterable[str]) -> int | None:
    """Size of the files together, for a progress bar; None where standard input or something without a size is among them."""
    paths = [Path(file) for file in files]
    if not all(path.is_file() for path in paths):
        return None
    return sum(path.stat().st_size for path in paths)
