"""The checks of `stillwatch doctor`: each says what it found and, where something is wrong, how to mend it."""

from __future__ import annotations

import shutil
from importlib import metadata
from typing import TYPE_CHECKING

from pipeline.command_line.continuity import lag_findings, store_findings, worker_findings
from pipeline.command_line.finding import NOTE, OK, WRONG, Finding

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.client import Store

#: ClickHouse from which on the schema and the settings of inserts are known to work.
OLDEST_CLICKHOUSE = (24, 8)
LOW_SPACE_BYTES = 1 << 30
_PACKAGES = ("clickhouse-connect", "chdb", "faust-streaming", "aiokafka", "kafka-python", "river")


def diagnose(settings: Settings) -> list[Finding]:
    """Run every check; one that cannot be made since an earlier one failed is left out."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    return [
        Finding("settings", OK, "read"),
        Finding("packages", OK, versions),
        *_store_findings(settings),
        *_broker_findings(settings),
        *worker_findings(settings),
    ]


def _store_findings(settings: Settings) -> list[Finding]:
    from pipeline.store.address import parse_address
    from pipeline.store.client import connect
    from pipeline.store.errors import StoreError, StoreHeldError

    try:
        folder = parse_address(settings.store.address).folder
        if folder is not None and not folder.exists():
            return [Finding("store", WRONG, f"there is no store in {folder}", "run `stillwatch migrate`")]
        store = connect(settings.store.address, password_file=settings.store.password_file, through_holder=True)
    except StoreHeldError as error:
        # A worker or a demo at work holds its folder, as it should.
        return [Finding("store", NOTE, str(error))]
    except StoreError as error:
        return [Finding("store", WRONG, *_split(str(error)))]
    with store:
        schema = _schema(store)
        found = [_version(store), *_space(store), schema]
        return [*found, *store_findings(store, settings)] if schema.state == OK else found


def _version(store: Store) -> Finding:
    version = store.server_version()
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    detail = f"{store.address} answers, ClickHouse {version}"
    if parts < OLDEST_CLICKHOUSE:
        oldest = ".".join(map(str, OLDEST_CLICKHOUSE))
        return Finding("store", WRONG, detail, f"upgrade ClickHouse to {oldest} or newer")
    return Finding("store", OK, detail)


def _space(store: Store) -> list[Finding]:
    folder = store.address.folder
    if folder is None:
        return []
    free = shutil.disk_usage(folder).free
    detail = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < LOW_SPACE_BYTES:
        return [Finding("disk", WRONG, detail, "free space, or give another folder with --store chdb:FOLDER")]
    return [Finding("disk", OK, detail)]


def _schema(store: Store) -> Finding:
    from pipeline.store.errors import StoreError
    from pipeline.store.migrate import known_migrations, pending_migrations

    try:
        pending = pending_migrations(store)
    except StoreError as error:
        return Finding("schema", WRONG, *_split(str(error)))
    if pending:
        names = ", ".join(f"{migration.version:04}_{migration.name}" for migration in pending)
        return Finding("schema", WRONG, f"not applied: {names}", "run `stillwatch migrate`")
    return Finding("schema", OK, f"{known_migrations()[-1].version:04}, all migrations applied")


def _broker_findings(settings: Settings) -> list[Finding]:
    from kafka.errors import KafkaError

    from pipeline.stream.address import (
        BrokerAddressError,
        BrokerNotRunningError,
        answers,
        bootstrap_servers,
        parse_address,
    )
    from pipeline.stream.security import SecurityError, security_of
    from pipeline.stream.topics import partition_counts, topic_specs

    specs = {spec.name: spec for spec in topic_specs(settings.stream)}
    try:
        servers = bootstrap_servers(settings.stream.broker)
        # Kafka's client would try for half a minute.
        if not any(answers(server) for server in servers):
            raise ConnectionRefusedError
        security = security_of(settings.stream)
        counts = partition_counts(servers, specs, security)
    except BrokerNotRunningError as error:
        # The embedded broker lives as long as the worker that started it.
        return [Finding("broker", NOTE, str(error))]
    except (BrokerAddressError, SecurityError) as error:
        return [Finding("broker", WRONG, *_split(str(error)))]
    except (KafkaError, OSError) as error:
        reason = "connection refused" if isinstance(error, ConnectionRefusedError) else type(error).__name__
        detail = f"{settings.stream.broker} does not answer ({reason})"
        return [Finding("broker", WRONG, detail, "start Kafka, or mend --broker")]
    findings = [Finding("broker", OK, f"{settings.stream.broker} answers at {', '.join(servers)}")]
    calls = counts.get(settings.stream.api_calls_topic)
    if calls and not parse_address(settings.stream.broker).embedded:
        try:
            findings += lag_findings(settings, servers, calls, security)
        except KafkaError as error:
            findings.append(Finding(f"group {settings.stream.group}", NOTE, f"the broker did not tell ({error!r})"))
    for name, spec in specs.items():
        check, count = f"topic {name}", counts.get(name)
        if count is None:
            findings.append(Finding(check, WRONG, "is not there", "start `stillwatch worker`, which creates it"))
        elif count != spec.partitions:
            detail = f"has {count} partitions, the settings say {spec.partitions}"
            mend = f"set stream.partitions={count}" if spec.partitions > 1 else "delete it while no worker runs"
            findings.append(Finding(check, WRONG, detail, mend))
        else:
            findings.append(Finding(check, OK, f"{count} partitions"))
    return findings


def _split(message: str) -> tuple[str, str]:
    """What is wrong and what to do, of a message that has the second after its last colon."""
    what, colon, mend = message.rpartition(": ")
    return (what, mend) if colon else (message, "")
