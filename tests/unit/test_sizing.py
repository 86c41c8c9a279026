"""The table of docs/sizing.md is what its formulae give."""

import re
from math import ceil, log2
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "sizing.md").read_text()


def figure(name: str) -> float:
    found = re.search(rf"^\| `{name}` \| ([\d,.]+) \|", PAGE, re.MULTILINE)
    assert found, name
    return float(found[1].replace(",", ""))


def row(rate: int) -> str:
    """A row of the table; memory and disks in GB of 10^9 bytes."""
    workers = ceil(rate / (figure("R") * figure("U")))
    partitions = max(8, 2 ** ceil(log2(2 * workers)))
    accounts = int(rate * figure("A"))
    memory = figure("M") + figure("S") * accounts / workers / 1e9
    kafka = rate * figure("E") * 3600 * 168 * 3 / 1e9
    clickhouse = rate * figure("C") * 86400 / 1e9
    return f"| {rate:,} | {workers} | {partitions} | {accounts:,} | {memory:.1f} | {kafka:,.0f} | {clickhouse:,.1f} |"


def test_the_table_is_what_the_formulae_give() -> None:
    rows = [row(rate) for rate in (1_000, 10_000, 100_000, 1_000_000)]
    assert [line for line in PAGE.splitlines() if re.match(r"\| 1[0,]+ \|", line)] == rows
