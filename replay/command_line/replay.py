"""`stillwatch replay run`, `evaluate` and `compare`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import Parameter

from pipeline.command_line.connect import open_store, store_of
from pipeline.command_line.errors import Misuse
from pipeline.command_line.options import Common, pairs
from pipeline.command_line.show import total_bytes

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.client import Store
    from replay.run import RunReport
    from replay.source import Chunks, Intake
    from replay.window import Window

Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative=())]


def run(
    *,
    run_id: Annotated[str, Parameter(name="--run-id")],
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: Annotated[str | None, Parameter(name="--to")] = None,
    input: Annotated[  # noqa: A002 - the option's name
        tuple[str, ...], Parameter(name="--input", negative=(), consume_multiple=True)
    ] = (),
    source: Annotated[str | None, Parameter(name="--source")] = None,
    format: Annotated[str, Parameter(name="--format")] = "auto",  # noqa: A002
    map: Annotated[tuple[str, ...], Parameter(name="--map", negative=())] = (),  # noqa: A002
    delimiter: Annotated[str, Parameter(name="--delimiter")] = ",",
    zone: Annotated[str, Parameter(name="--zone")] = "UTC",
    account: Annotated[str | None, Parameter(name="--account")] = None,
    account_attribute: Annotated[str | None, Parameter(name="--account-attribute")] = None,
    overwrite: Annotated[bool, Parameter(name="--overwrite", negative=())] = False,
    suppressions: Annotated[bool, Parameter(name="--suppressions")] = True,
    verdicts: Annotated[bool, Parameter(name="--verdicts", negative=())] = False,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Re-run a window of history through the engine, into the same tables under a name.

    Parameters
    ----------
    run_id
        Name of the run.
    from_
        Start of the window of event time: RFC 3339 or a date, UTC where no zone is given.
    to
        End of the window, not included.
    input
        Log files to read, as `stillwatch ingest` reads them.
    source
        clickhouse (the table api_calls) or kafka (the topic api-calls); clickhouse when no --input is given.
    format
        Format of the files; auto recognises each.
    map
        For CSV: FIELD=COLUMN; may be repeated.
    delimiter
        For CSV: the character between cells.
    zone
        Time zone of times that carry none.
    account
        The account of records that name none.
    account_attribute
        Where the account stands in a record.
    overwrite
        Replace a run of the same name.
    suppressions
        Whether to heed what `stillwatch suppress` has put in the store; what the settings name is heeded always.
    verdicts
        Heed what `stillwatch label` has recorded, too: accounts called honest, and the threshold that verdicts move.
    json
        Print the counts as JSON.
    """
    if input and source:
        raise Misuse("replay run: give --input or --source, not both")
    if source not in (None, "clickhouse", "kafka"):
        raise Misuse(f"--source {source!r} is neither clickhouse nor kafka")
    settings = (common or Common()).settings()
    from pipeline.detectors.build import build_detectors
    from pipeline.sources import SourceOptions
    from replay.command_line.stopping import sigterm_interrupts
    from replay.errors import ReplayError
    from replay.feedback import with_feedback
    from replay.run import Manner, claim, replay
    from replay.source import Intake
    from replay.window import window_of

    try:
        window = window_of(from_, to)
    except ReplayError as error:
        raise Misuse(str(error)) from None
    build_detectors(settings.engine.detectors)
    options = SourceOptions(
        received_at=time.time_ns() // 1_000_000,
        limits=settings.event,
        account=account,
        account_attribute=account_attribute,
        csv_map=pairs(map, "--map"),
        csv_delimiter=delimiter,
        zone=zone,
    )
    intake = Intake()
    with sigterm_interrupts(), _store_to_write(settings) as store, _progress(input) as show:
        settings = with_feedback(settings, store, suppressions=suppressions, verdicts=verdicts)
        if input:
            from replay.source import from_files

            chunks: Chunks = from_files(
                input,
                format_name=format,
                options=options,
                partitions=settings.stream.partitions,
                window=window,
                intake=intake,
                progress=show.advance,
            )
        else:
            chunks = _stored_chunks(source or "clickhouse", settings, store, window, intake)
        named = "files" if input else source or "clickhouse"
        claimed = claim(store, run_id, named, window, settings.engine, overwrite=overwrite)
        report = replay(
            chunks, intake, store=store, settings=settings, run=claimed, manner=Manner(progress=show.update)
        )
    if json:
        _print_json(report)
    else:
        _print_report(report)
    return 0


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
        Print JSON.
    """
    from replay.command_line.figures import print_evaluation
    from replay.evaluate import load_and_evaluate
    from replay.truth import labels_of_file, labels_of_store

    truth = labels_of_file(labels) if labels is not None else None
    with store_of(common) as store:
        found = load_and_evaluate(store, run_id, labels_of_store(store) if truth is None else truth)
    if json:
        _print_json(found)
    else:
        print_evaluation(found)
    return 0


def compare(a: str, b: str, /, *, json: Json = False, common: Common | None = None) -> int:
    """Compare two runs: counts, incidents gained and lost, earlier and later, and how far scores moved.

    Parameters
    ----------
    a
        Name of the run to compare with; live is the stream.
    b
        Name of the run that is compared.
    json
        Print JSON.
    """
    from replay.command_line.figures import print_comparison
    from replay.compare import load_and_compare

    with store_of(common) as store:
        found = load_and_compare(store, a, b)
    if json:
        _print_json(found)
    else:
        print_comparison(found)
    return 0


def _stored_chunks(source: str, settings: Settings, store: Store, window: Window, intake: Intake) -> Chunks:
    from replay.source import from_kafka, from_store

    if source == "clickhouse":
        return from_store(store, partitions=settings.stream.partitions, window=window, intake=intake)
    from pipeline.stream.address import bootstrap_servers

    return from_kafka(bootstrap_servers(settings.stream.broker), settings, window=window, intake=intake)


@contextmanager
def _store_to_write(settings: Settings) -> Iterator[Store]:
    # A folder of one's own is made ready without being asked for; a server's schema is its operator's business.
    from pipeline.store.migrate import migrate

    embedded = settings.store.address.startswith("chdb:")
    with open_store(settings, migrated=not embedded) as store:
        if embedded:
            migrate(store)
        yield store


class _Silent:
    """Progress where nobody watches."""

    def advance(self, _: int) -> None:
        """Bytes were read."""

    def update(self, _: RunReport) -> None:
        """Events were scored."""


class _Bar(_Silent):
    """A bar over the bytes of the files, or only the counts where no size is known."""

    def __init__(self, advance: Callable[[int], None], update: Callable[[str], None]) -> None:
        self._advance = advance
        self._update = update

    def advance(self, count: int) -> None:
        self._advance(count)

    def update(self, report: RunReport) -> None:
        rate = report.events / report.seconds if report.seconds else 0.0
        self._update(f"{report.events:,} events, {report.incidents:,} incidents, {rate:,.0f}/s")


@contextmanager
def _progress(files: Sequence[str]) -> Iterator[_Silent]:
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("replay"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("replay", total=total_bytes(files) if files else None, counts="")
        yield _Bar(lambda count: progress.advance(task, count), lambda text: progress.update(task, counts=text))


def _print_report(report: RunReport) -> None:
    from pipeline.command_line.show import print_table

    rows: list[tuple[str, int]] = [("scored", report.events), ("duplicates", report.duplicates)]
    rows += [(f"rejected: {reason}", count) for reason, count in report.rejected.items()]
    if report.outside:
        rows.append(("outside the window", report.outside))
    rows += [("accounts", report.accounts), ("windows", report.windows), ("incidents", report.incidents)]
    if report.suppressed:
        rows.append(("suppressed", report.suppressed))
    print_table(f"run {report.run_id}", ("outcome", "count"), rows)
    rate = report.events / report.seconds if report.seconds else 0.0
    print(f"{report.seconds:.1f} s, {rate:,.0f} events/s")


def _print_json(value: object) -> None:
    from pipeline.command_line.show import print_json

    print_json(value)
