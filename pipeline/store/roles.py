"""The roles of a ClickHouse server: who reads, who writes, and how much of it they may take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.store.address import DEFAULT_DATABASE
from pipeline.store.client import Store
from pipeline.store.cluster import on_cluster
from pipeline.store.errors import SchemaError
from pipeline.store.migrate import statements_of
from schemas import resource

_DATABASE = re.compile(rf"\bON {DEFAULT_DATABASE}\.\*")


def role_statements(database: str, cluster: str = "") -> Iterator[str]:
    """The statements that make the roles for a database."""
    for statement in statements_of(resource("clickhouse").joinpath("roles.sql").read_text()):
        yield on_cluster(_DATABASE.sub(f"ON {database}.*", statement), cluster)


def make_roles(store: Store, cluster: str = "") -> None:
    """Make the roles; those that are there stay as they are. Raises `SchemaError` for an embedded store, or `QueryError`."""
    if store.address.embedded:
        raise SchemaError(f"store {store.address} has no users: --roles is for a ClickHouse server; leave it out")
    for statement in role_statements(store.address.database, cluster):
        store.command(statement)
