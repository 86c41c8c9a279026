"""`stillwatch ingest`: reads logs and sends their events to Kafka."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pipeline.command_line.errors import Misuse
from pipeline.command_line.options import Common, pairs
from pipeline.command_line.show import total_bytes

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.stream.produce import SendReport

FAILED = 1


def ingest(
    *files: Annotated[str, Parameter(allow_leading_hyphen=True)],
    format: Annotated[str, Parameter(name="--format")] = "auto",  # noqa: A002 - the option's name
    map: Annotated[tuple[str, ...], Parameter(name="--map", negative=())] = (),  # noqa: A002
    delimiter: Annotated[str, Parameter(name="--delimiter")] = ",",
    zone: Annotated[str, Parameter(name="--zone")] = "UTC",
    account: Annotated[str | None, Parameter(name="--account")] = None,
    account_attribute: Annotated[str | None, Parameter(name="--account-attribute")] = None,
    wait: Annotated[float | None, Parameter(name="--wait")] = None,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Read logs and send their events to Kafka.

    What cannot be used goes to the topic of rejected events with its reason, and the run goes on. The exit code is 0 when
    events were sent, also when some were rejected; 1 when there was none to send, when an input could not be read to its
    end, or when the broker did not take them.

    Parameters
    ----------
    files
        Log files, plain, .gz or .zst; - is standard input.
    format
        native, litellm, otel, cloudtrail, apigateway, csv or json (of any other gateway); auto recognises each file but json.
    map
        For CSV and json: FIELD=COLUMN or FIELD=dotted.path, for example account_id=user.id; may be repeated.
    delimiter
        For CSV: the character between cells.
    zone
        Time zone of times that carry none, for example Europe/Berlin.
    account
        The account of records that name none.
    account_attribute
        Where the account stands, instead of the format's own places: an attribute's name or a dotted path.
    wait
        Seconds to wait for a broker that is away; stream.connect_patience_s by default.
    json
        Print the counts as JSON.
    """
    settings = (common or Common()).settings()
    if not files:
        raise Misuse("ingest: name a log file, or - for standard input")
    # A lone hyphen is a file here, so the command line takes anything that begins with one.
    if unknown := [file for file in files if file.startswith("-") and file != "-"]:
        raise Misuse(
            f"ingest: unknown option {unknown[0]}; see --help, and write ./{unknown[0]} for a file of that name"
        )
    from pipeline.sources import SourceOptions, read_lines
    from pipeline.stream.address import bootstrap_servers, wait_for_broker
    from pipeline.stream.produce import send_calls
    from pipeline.stream.security import security_of
    from pipeline.stream.topics import ensure_topics, topic_specs

    options = SourceOptions(
        received_at=time.time_ns() // 1_000_000,
        limits=settings.event,
        account=account,
        account_attribute=account_attribute,
        csv_map=pairs(map, "--map"),
        csv_delimiter=delimiter,
        zone=zone,
    )
    security = security_of(settings.stream)
    patience_s = wait if wait is not None else settings.stream.connect_patience_s
    with _progress(files) as show:
        results = read_lines(files, format=format, options=options, progress=show.advance)
        servers = bootstrap_servers(settings.stream.broker)
        wait_for_broker(servers, patience_s, _say)
        for line in ensure_topics(servers, topic_specs(settings.stream), security):
            _say(line)
        report = send_calls(
            results,
            servers,
            settings.stream,
            patience_s=max(patience_s, 1.0),
            on_progress=show.update,
            security=security,
        )
    (_print_json if json else _print_table)(report, settings)
    if not report.accepted:
        _say("no event could be sent")
    elif report.unreadable:
        _say(f"{report.unreadable} of the inputs could not be read to the end")
    return FAILED if report.unreadable or not report.accepted else 0


class _Silent:
    """Progress where nobody watches."""

    def advance(self, _: int) -> None:
        """Bytes were read."""

    def update(self, _: SendReport) -> None:
        """Events were sent."""


class _Bar(_Silent):
    """A bar over the bytes of the files, with the rate of events."""

    def __init__(self, progress: Any, task: Any) -> None:
        self._progress = progress
        self._task = task
        self._bytes = 0

    def advance(self, count: int) -> None:
        self._bytes += count  # the reader's thread; shown by `update` from the sender's

    def update(self, report: SendReport) -> None:
        rate = report.accepted / report.seconds if report.seconds else 0.0
        rejected = report.rejected.total()
        self._progress.update(
            self._task,
            completed=self._bytes,
            events=f"{report.accepted:,} events, {rejected:,} rejected, {rate:,.0f}/s",
        )


@contextmanager
def _progress(files: Sequence[str]) -> Iterator[_Silent]:
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("ingest"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[events]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("ingest", total=total_bytes(files), events="")
        yield _Bar(progress, task)


def _print_table(report: SendReport, settings: Settings) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("outcome")
    table.add_column("events", justify="right")
    table.add_column("topic")
    table.add_row("accepted", f"{report.accepted:,}", settings.stream.api_calls_topic)
    for reason, count in report.rejected.most_common():
        table.add_row(f"rejected: {reason}", f"{count:,}", settings.stream.rejected_topic)
    console = Console()
    console.print(table)
    rate = report.accepted / report.seconds if report.seconds else 0.0
    console.print(f"{report.sent_bytes / 1e6:,.1f} MB in {report.seconds:.1f} s, {rate:,.0f} events/s", highlight=False)


def _print_json(report: SendReport, settings: Settings) -> None:
    from msgspec.json import encode

    counts = {
        "accepted": report.accepted,
        "rejected": report.rejected.total(),
        "rejected_by_reason": {str(reason): count for reason, count in sorted(report.rejected.items())},
        "topic": settings.stream.api_calls_topic,
        "rejected_topic": settings.stream.rejected_topic,
        "bytes": report.sent_bytes,
        "seconds": round(report.seconds, 3),
    }
    print(encode(counts).decode())


def _say(line: str) -> None:
    print(f"stillwatch: {line}", file=sys.stderr)
