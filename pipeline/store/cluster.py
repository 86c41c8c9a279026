"""The schema for a ClickHouse cluster, made from the one set of migrations: ON CLUSTER, and engines that replicate.

Every statement reaches all servers of the cluster, and the tables of a shard's replicas hold the same rows. Rows are not spread
over shards: who asks sees what the server at the store's address holds, so it is one shard of several replicas.
"""

from __future__ import annotations

import re

#: Where ClickHouse Keeper has a table; the server fills in its macros.
KEEPER_PATH = "/clickhouse/tables/{shard}/{database}/{table}"
_ENGINE = re.compile(r"\bENGINE\s*=\s*(\w*MergeTree)\b(\(([^()]*)\))?")
_WINDOW = re.compile(r"\bnon_replicated_deduplication_window\b")
_NAMED = re.compile(
    r"\A(\s*(?:CREATE\s+(?:DATABASE|TABLE|VIEW|MATERIALIZED\s+VIEW|ROLE|QUOTA|SETTINGS\s+PROFILE)(?:\s+IF\s+NOT\s+EXISTS)?"
    r"|ALTER\s+TABLE)\s+[\w.]+)"
)
_GRANT = re.compile(r"\A(\s*GRANT)\b")
CLUSTER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def on_cluster(statement: str, cluster: str) -> str:
    """A statement of the schema for all servers of `cluster`; unchanged where `cluster` is empty. Raises `ValueError`.

    >>> on_cluster("ALTER TABLE labels ADD COLUMN a Int8", "east")
    'ALTER TABLE labels ON CLUSTER `east` ADD COLUMN a Int8'
    """
    if not cluster:
        return statement
    if not CLUSTER_NAME.fullmatch(cluster):
        raise ValueError(f"cluster {cluster!r} is not letters, digits, dashes and underscores")
    clause = rf"\1 ON CLUSTER `{cluster}`"
    rewritten, found = _NAMED.subn(clause, statement, count=1)
    if not found:
        rewritten, found = _GRANT.subn(clause, statement, count=1)
    if not found:
        raise ValueError(f"not known how to say this to a cluster: {statement[:60]}")
    rewritten = _ENGINE.sub(_replicated, rewritten)
    # What the server remembers of blocks is kept by another setting there.
    return _WINDOW.sub("replicated_deduplication_window", rewritten)


def _replicated(engine: re.Match[str]) -> str:
    arguments = [f"'{KEEPER_PATH}'", "'{replica}'", *([engine.group(3)] if engine.group(3) else [])]
    return f"ENGINE = Replicated{engine.group(1)}({', '.join(arguments)})"
