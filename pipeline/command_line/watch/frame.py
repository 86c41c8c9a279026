"""One frame of the live view, of plain text in boxes: nothing that came from outside is taken for markup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipeline.command_line.show import cell
from pipeline.command_line.watch.findings import Findings
from pipeline.command_line.watch.pages import Sample, rate
from pipeline.event.harmless import harmless
from pipeline.stream import metrics as m

if TYPE_CHECKING:
    from rich.console import RenderableType

_BARS = "▁▂▃▄▅▆▇█"
#: Characters of a name that the sentence beside it gives way to.
_WIDEST = 20
_SEVERITIES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": ""}
_ACCOUNT_COLUMNS = ("account_id", "peak_score", "open_incidents", "since", "output_tokens", "calls")
_INCIDENT_COLUMNS = ("detected_at", "severity", "status", "entity_id", "output_tokens", "summary")


def frame(
    before: Sample | None, now: Sample, rates: Sequence[float], findings: Findings | None, *, at: datetime
) -> RenderableType:
    """Everything known now; `rates` are the events a second of the latest frames, `at` the wall clock."""
    parts: list[RenderableType] = [_workers(now, at)]
    if now.answered:
        parts.append(_box("stream", _stream(before, now, rates)))
    if findings is not None:
        if findings.accounts:
            parts.append(_box("accounts by risk, latest 7 days", _records(_ACCOUNT_COLUMNS, findings.accounts)))
        if findings.incidents:
            parts.append(_box("newest incidents", _records(_INCIDENT_COLUMNS, findings.incidents)))
        if not findings.accounts and not findings.incidents:
            parts.append(Text("nothing found so far"))
        parts.append(Text(harmless(f"from {findings.source}", 300), style="dim"))
        if findings.trouble:
            parts.append(Text(harmless(findings.trouble, 160), style="dim"))
    return Group(*parts)


def bars(values: Sequence[float]) -> str:
    """Values as a row of bars; nothing for less than two.

    >>> bars([0, 1, 2, 4])
    '▁▂▄█'
    """
    if len(values) < 2:
        return ""
    most = max(max(values), 1e-9)
    return "".join(_BARS[min(int(max(value, 0.0) / most * (len(_BARS) - 1)), len(_BARS) - 1)] for value in values)


def _workers(now: Sample, at: datetime) -> Text:
    text = Text(f"stillwatch, {at:%Y-%m-%d %H:%M:%S} UTC")
    for address, state in now.states.items():
        style = {"ok": "green", "starting": "yellow", "rebalancing": "yellow", "stopping": "yellow"}.get(state, "red")
        text.append("\n" + harmless(address) + " ")
        text.append(harmless(state), style=style)
    for problem in now.problems:
        text.append("\n  " + harmless(problem, 300), style="red")
    return text


def _stream(before: Sample | None, now: Sample, rates: Sequence[float]) -> Table:
    received = now.get(m.RECEIVED)
    rejected = sum(now.rejects.values())
    seconds = now.get(m.ENGINE_SECONDS)
    reasons = sorted(now.rejects.items(), key=lambda one: (-one[1], one[0]))[:3]
    rows: list[tuple[str, str, str]] = [
        ("events a second", _number(rate(before, now, m.RECEIVED)), bars(rates)),
        (
            "received",
            _number(received),
            f"{_number(now.get(m.ACCEPTED) / seconds)} a second of engine time" if seconds else "",
        ),
        (
            "rejected",
            _number(rejected),
            ", ".join([f"{rejected / max(received, 1):.2%}", *(f"{_number(count)} {why}" for why, count in reasons)]),
        ),
        ("late, duplicate", f"{_number(now.get(m.LATE))}, {_number(now.get(m.DUPLICATES))}", ""),
        ("lag", _number(now.get(m.LAG)), f"in {_number(now.get(m.PARTITIONS))} partitions; commits {_stalled(now)}"),
        (
            "checkpoint age",
            _seconds(now.get(m.CHECKPOINT_AGE)),
            f"{now.get(m.STATE_BYTES) / (1 << 20):,.1f} MiB of state",
        ),
        ("rows waiting", _number(now.get(m.QUEUED_ROWS)), _written(before, now)),
        ("accounts", _number(now.get(m.ACCOUNTS)), _watermark(now)),
        (
            "changes of incidents",
            _number(now.get(m.INCIDENTS)),
            f"{_number(now.get(m.SUPPRESSED))} suppressed" if now.get(m.SUPPRESSED) else "",
        ),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, value, more in rows:
        table.add_row(Text(name), Text(value, style="bold"), Text(harmless(more), style="dim"))
    return table


def _records(columns: Sequence[str], records: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        right = all(isinstance(record.get(name), (int, float, type(None))) for record in records)
        widest = max(len(name), *(len(cell(record.get(name))) for record in records))
        table.add_column(
            Text(name.replace("_", " ")), justify="right" if right else "left", no_wrap=True, overflow="ellipsis",
            ratio=1 if name == "summary" else None,
            min_width=None if name == "summary" else min(widest, _WIDEST),
        )  # fmt: skip
    for record in records:
        style = _SEVERITIES.get(str(record.get("severity")), "")
        table.add_row(*(Text(cell(record.get(name)), style=style if name == "severity" else "") for name in columns))
    return table


def _box(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=Text(title), title_align="left", border_style="dim", padding=(0, 1))


def _stalled(now: Sample) -> str:
    stalled = now.get(m.COMMIT_STALLED)
    return f"last moved {stalled:.0f} s ago" if stalled >= 1 else "are up to date"


def _written(before: Sample | None, now: Sample) -> str:
    written = rate(before, now, m.ROWS)
    errors = now.get(m.STORE_ERRORS)
    told = f"{_number(written)} rows a second written" if written is not None else ""
    return f"{told}{', ' if told else ''}{_number(errors)} inserts tried again" if errors else told


def _watermark(now: Sample) -> str:
    if now.watermark_ms is None:
        return "no window closed yet"
    return f"windows closed up to {datetime.fromtimestamp(now.watermark_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:,.1f} s" if value < 100 else f"{value:,.0f} s"
