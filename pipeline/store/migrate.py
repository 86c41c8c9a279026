"""Brings a store's schema to what this program knows: numbered SQL files, each applied once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.store.client import Store
from pipeline.store.cluster import on_cluster
from pipeline.store.errors import SchemaError
from schemas import resource

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32 COMMENT 'Number of the migration',
    name String COMMENT 'Its name',
    checksum String COMMENT 'SHA-256 of its file when it was applied',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version
COMMENT 'Migrations that were applied'
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered file of `schemas/clickhouse`."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, line ends as on Linux."""
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


def known_migrations() -> tuple[Migration, ...]:
    """All migrations this program brings, in order."""
    found = []
    for file in resource("clickhouse").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match.group(1)), match.group(2), file.read_text()))
    return tuple(sorted(found, key=lambda migration: migration.version))


def applied_versions(store: Store) -> dict[int, str]:
    """Checksums of the applied migrations by version; empty for a store that was never migrated."""
    database = {"database": store.address.database}
    there = store.query_rows(
        "SELECT count() FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'", database
    )
    if not there[0][0]:
        return {}
    return dict(store.query_rows("SELECT version, checksum FROM schema_migrations FINAL ORDER BY version"))


def pending_migrations(store: Store, known: Sequence[Migration] | None = None) -> list[Migration]:
    """Migrations that are still to be applied. Raises `SchemaError` when store and program do not fit."""
    migrations = known_migrations() if known is None else known
    applied = applied_versions(store)
    newest = max((migration.version for migration in migrations), default=0)
    if applied and max(applied) > newest:
        raise SchemaError(
            f"store {store.address} has schema {max(applied):04}, this program knows up to {newest:04}: "
            "install the newer Stillwatch that migrated it"
        )
    for migration in migrations:
        checksum = applied.get(migration.version)
        if checksum is not None and checksum != migration.checksum:
            raise SchemaError(
                f"migration {migration.version:04}_{migration.name} differs from the one applied to {store.address}: "
                "an applied migration must not be edited; restore it and put the change into a new one"
            )
    return [migration for migration in migrations if migration.version not in applied]


def migrate(store: Store, known: Sequence[Migration] | None = None, *, cluster: str = "") -> list[Migration]:
    """Apply what is pending and return it; nothing to do is fine. Raises `SchemaError`, or `QueryError`.

    With the name of a `cluster`, on all its servers, with engines that replicate (see `pipeline.store.cluster`).

    A migration that broke off is applied again from its start: every statement says IF NOT EXISTS or has no other
    effect when repeated.
    """
    pending = pending_migrations(store, known)
    if not pending:
        return []
    # The name is letters, digits and underscores (checked with the address); ClickHouse binds no identifiers here.
    store.command(on_cluster(f"CREATE DATABASE IF NOT EXISTS {store.address.database}", cluster))
    store.use_database()
    store.command(on_cluster(LEDGER, cluster))
    for migration in pending:
        for statement in statements_of(migration.text):
            store.command(on_cluster(statement, cluster))
        store.command(
            "INSERT INTO schema_migrations (version, name, checksum) "
            "SELECT {version:UInt32}, {name:String}, {checksum:String}",
            {"version": migration.version, "name": migration.name, "checksum": migration.checksum},
        )
    return pending


def go_back(store: Store, version: int) -> list[Migration]:
    """Let a program that knows migrations up to `version` only use the store again; the migrations it does not know.

    They are noted as not applied. What they made stays, which such a program does not look at, and applying them again changes
    nothing: migrations only ever add. Raises `SchemaError`.
    """
    applied = applied_versions(store)
    pending_migrations(store)
    later = [
        migration for migration in known_migrations() if migration.version > version and migration.version in applied
    ]
    if later:
        store.command(
            "ALTER TABLE schema_migrations DELETE WHERE version > {version:UInt32}",
            {"version": version},
            {"mutations_sync": 2},
        )
    return later


def require_schema(store: Store) -> None:
    """Raise `SchemaError` unless every migration has been applied."""
    pending = pending_migrations(store)
    if pending:
        names = ", ".join(f"{migration.version:04}_{migration.name}" for migration in pending)
        raise SchemaError(f"store {store.address} lacks migrations {names}: run `stillwatch migrate`")


def statements_of(text: str) -> Iterator[str]:
    """Split SQL at semicolons that stand outside of quotes and comments; comments are left out."""
    statement: list[str] = []
    for piece in _PIECES.findall(text):
        if piece == ";":
            if "".join(statement).strip():
                yield "".join(statement).strip()
            statement = []
        elif piece.startswith(("--", "/*")):
            statement.append(" ")
        else:
            statement.append(piece)
    if "".join(statement).strip():
        yield "".join(statement).strip()


_PIECES = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'?|`(?:[^`\\]|\\.)*`?|"(?:[^"\\]|\\.)*"?|--[^\n]*|/\*.*?(?:\*/|\Z)|;|[^;'"`/-]+|[/-]""",
    re.DOTALL,
)
