"""Everything that a run was told: kept with it, so that it can be gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import msgspec

from pipeline.event import ApiCall, Rejected
from pipeline.settings import Settings
from pipeline.sources import SourceOptions, read_calls
from pipeline.store.client import Store
from pipeline.store.records import ReplayRun
from replay.beginning import Beginning
from replay.errors import ReplayError
from replay.parquet import is_parquet, parquet_calls
from replay.source import Chunks, Intake, from_kafka, from_store, numbered
from replay.window import Window


class InputFile(msgspec.Struct, frozen=True):
    """A file as it was when the run began."""

    path: str
    bytes: int


class FileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How files are read; as `pipeline.sources.SourceOptions`."""

    files: tuple[InputFile, ...]
    received_at: int
    format: str = "auto"
    account: str | None = None
    account_attribute: str | None = None
    csv_map: dict[str, str] = {}
    csv_delimiter: str = ","
    zone: str = "UTC"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A run: where its events come from, which of them count, where its engines begin, and under what settings."""

    settings: Settings
    source: str
    """`files`, `clickhouse` or `kafka`."""
    from_ms: int | None = None
    to_ms: int | None = None
    warm_up_ms: int = 0
    snapshot: bool = False
    """Begins with the stream's states as of the start."""
    accounts: tuple[str, ...] | None = None
    """Only these; None for all."""
    files: FileOptions | None = None

    @property
    def window(self) -> Window:
        """What is told."""
        return Window(self.from_ms, self.to_ms)

    @property
    def since_ms(self) -> int | None:
        """Verdicts on what was before are not told."""
        return self.from_ms if self.warm_up_ms or self.snapshot else None

    @property
    def read(self) -> Window:
        """What goes through the engines."""
        if self.snapshot:
            return Window(None, self.to_ms)
        return Window(None if self.from_ms is None else self.from_ms - self.warm_up_ms, self.to_ms)

    def text(self) -> str:
        """As the run's row keeps it."""
        return msgspec.json.encode(self).decode()


def plan_of(run: ReplayRun) -> Plan:
    """The plan that a run's row keeps. Raises `ReplayError` when there is none, or when its files are others now."""
    try:
        plan = msgspec.json.decode(run.plan, type=Plan)
    except msgspec.MsgspecError as error:
        raise ReplayError(
            f"run {run.run_id} cannot be resumed: its plan is of another program ({error}); run it anew with --overwrite"
        ) from error
    for file in plan.files.files if plan.files is not None else ():
        if file.path == "-":
            raise ReplayError(f"run {run.run_id} cannot be resumed: it read standard input; run it anew")
        size = Path(file.path).stat().st_size if Path(file.path).is_file() else -1
        if size != file.bytes:
            now = "is gone" if size < 0 else f"has {size} bytes, not {file.bytes}"
            raise ReplayError(f"run {run.run_id} cannot be resumed: {file.path} {now}; run it anew with --overwrite")
    return plan


def open_source(
    plan: Plan,
    store: Store,
    beginning: Beginning,
    intake: Intake,
    servers: Callable[[], list[str]],
    progress: Callable[[int], None] | None = None,
) -> Chunks:
    """The plan's events that the beginning's states do not hold. `servers` finds the broker; `progress` gets bytes read."""
    settings, accounts = plan.settings, plan.accounts
    if plan.source == "clickhouse":
        return from_store(
            store,
            partitions=settings.stream.partitions,
            window=plan.read,
            intake=intake,
            accounts=accounts,
            after=beginning.after,
        )
    chosen = None if accounts is None else frozenset(accounts)
    if plan.source == "kafka":
        return from_kafka(servers(), settings, window=plan.read, intake=intake, accounts=chosen, after=beginning.after)
    assert plan.files is not None
    results = _results(plan.files, settings, progress)
    return numbered(results, settings.stream.partitions, plan.read, intake, chosen, beginning.after)


def _results(
    files: FileOptions, settings: Settings, progress: Callable[[int], None] | None
) -> Iterator[ApiCall | Rejected]:
    options = SourceOptions(
        received_at=files.received_at,
        limits=settings.event,
        account=files.account,
        account_attribute=files.account_attribute,
        csv_map=files.csv_map,
        csv_delimiter=files.csv_delimiter,
        zone=files.zone,
    )
    # All are opened at once, so that wrong options are told before anything is written.
    results: list[Iterable[ApiCall | Rejected]] = []
    for path in [file.path for file in files.files]:
        if path != "-" and is_parquet(path):
            results.append(parquet_calls(path, options, progress))
        else:
            results.append(read_calls([path], format=files.format, options=options, progress=progress))
    return chain.from_iterable(results)
