"""Options that say which events a replay is of, and the plan that they make."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.command_line.errors import Misuse
from pipeline.command_line.options import pairs

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.client import Store
    from replay.plan import FileOptions, Plan
    from replay.window import Window


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Events:
    """Which events, and how files are read."""

    from_: Annotated[str | None, Parameter(name="--from")] = None
    """Start of the window of event time: RFC 3339 or a date, UTC where no zone is given."""
    to: Annotated[str | None, Parameter(name="--to")] = None
    """End of the window, not included."""
    incident: Annotated[str | None, Parameter(name="--incident")] = None
    """The window of this incident, with a margin."""
    margin: Annotated[str, Parameter(name="--margin")] = "2d"
    """How long before and after the incident."""
    accounts: Annotated[str | None, Parameter(name="--accounts")] = None
    """Only these: A,B or @FILE with one on each line. They then have each other for peers, not everybody."""
    campaign: Annotated[str | None, Parameter(name="--campaign")] = None
    """Only the members of this campaign."""
    allow_partial: Annotated[bool, Parameter(name="--allow-partial", negative=())] = False
    """Go on with what there is when the store keeps only a part of the window."""
    input: Annotated[tuple[str, ...], Parameter(name="--input", negative=(), consume_multiple=True)] = ()
    """Files to read: logs, as `stillwatch ingest` reads them, or Parquet."""
    source: Annotated[str | None, Parameter(name="--source")] = None
    """clickhouse (the table api_calls) or kafka (the topic api-calls); clickhouse when no --input is given."""
    format: Annotated[str, Parameter(name="--format")] = "auto"
    """Format of the files; auto recognises each."""
    map: Annotated[tuple[str, ...], Parameter(name="--map", negative=())] = ()
    """For CSV and json: FIELD=COLUMN or FIELD=dotted.path; may be repeated."""
    delimiter: Annotated[str, Parameter(name="--delimiter")] = ","
    """For CSV: the character between cells."""
    zone: Annotated[str, Parameter(name="--zone")] = "UTC"
    """Time zone of times that carry none."""
    account: Annotated[str | None, Parameter(name="--account")] = None
    """The account of records that name none."""
    account_attribute: Annotated[str | None, Parameter(name="--account-attribute")] = None
    """Where the account stands in a record."""


def check(events: Events, warm_up: str | None, from_snapshot: bool, processes: int | None) -> None:
    """Raise `Misuse` where options do not go together."""
    if events.input and events.source:
        raise Misuse("replay run: give --input or --source, not both")
    if events.source not in (None, "clickhouse", "kafka"):
        raise Misuse(f"--source {events.source!r} is neither clickhouse nor kafka")
    if events.incident and (events.from_ or events.to):
        raise Misuse("replay run: give --incident or --from and --to, not both")
    if events.accounts and events.campaign:
        raise Misuse("replay run: give --accounts or --campaign, not both")
    if (warm_up or from_snapshot) and not (events.from_ or events.incident):
        raise Misuse("replay run: --warm-up and --from-snapshot need a start: give --from or --incident")
    if warm_up and from_snapshot:
        raise Misuse("replay run: give --warm-up or --from-snapshot, not both")
    if from_snapshot and (events.input or events.accounts or events.campaign):
        raise Misuse("replay run: --from-snapshot goes with all accounts and with --source clickhouse or kafka")
    if processes is not None and processes < 1:
        raise Misuse(f"--processes {processes}: at least 1")


def plan_from(
    events: Events,
    settings: Settings,
    store: Store,
    *,
    warm_up: str | None,
    snapshot: bool,
    suppressions: bool,
    verdicts: bool,
) -> Plan:
    """The plan of a new run. Raises `Misuse`, or `replay.errors.ReplayError` when the store does not have what it needs."""
    from replay.errors import ReplayError
    from replay.extent import accounts_of, accounts_of_campaign, check_kept
    from replay.feedback import with_feedback
    from replay.plan import Plan
    from replay.window import duration_ms

    try:
        window = _window(events, store)
        warm_up_ms = duration_ms(warm_up, "--warm-up") if warm_up else 0
        accounts = accounts_of(events.accounts) if events.accounts else None
    except ReplayError as error:
        raise Misuse(str(error)) from None
    if events.campaign:
        accounts = accounts_of_campaign(store, events.campaign)
    plan = Plan(
        settings=with_feedback(settings, store, suppressions=suppressions, verdicts=verdicts),
        source="files" if events.input else events.source or "clickhouse",
        from_ms=window.from_ms,
        to_ms=window.to_ms,
        warm_up_ms=warm_up_ms,
        snapshot=snapshot,
        accounts=None if accounts is None else tuple(accounts),
        files=_files(events) if events.input else None,
    )
    if plan.source == "clickhouse":
        check_kept(store, plan.read, partial=events.allow_partial)
    return plan


def _window(events: Events, store: Store) -> Window:
    from replay.extent import window_of_incident
    from replay.window import duration_ms, window_of

    if events.incident:
        return window_of_incident(store, events.incident, duration_ms(events.margin, "--margin"))
    return window_of(events.from_, events.to)


def _files(events: Events) -> FileOptions:
    from replay.plan import FileOptions, InputFile

    return FileOptions(
        files=tuple(InputFile(path, _size(Path(path))) for path in events.input),
        received_at=time.time_ns() // 1_000_000,
        format=events.format,
        account=events.account,
        account_attribute=events.account_attribute,
        csv_map=pairs(events.map, "--map"),
        csv_delimiter=events.delimiter,
        zone=events.zone,
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
