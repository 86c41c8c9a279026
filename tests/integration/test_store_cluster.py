"""What a cluster and its roles are told is SQL to ClickHouse's parser. There is no cluster here to run it on."""

import pytest

from pipeline.store.client import Store
from pipeline.store.cluster import on_cluster
from pipeline.store.errors import SchemaError
from pipeline.store.migrate import LEDGER, known_migrations, statements_of
from pipeline.store.roles import make_roles, role_statements

SCHEMA = ["CREATE DATABASE IF NOT EXISTS stillwatch", LEDGER]
SCHEMA += [statement for migration in known_migrations() for statement in statements_of(migration.text)]


def tree(store: Store, statement: str) -> str:
    return store.query_raw(f"EXPLAIN AST {statement}").decode()


def test_every_statement_for_a_cluster_is_clickhouses_sql(chdb_store: Store) -> None:
    for statement in SCHEMA:
        told = on_cluster(statement, "east-1")
        assert tree(chdb_store, told).startswith(("CreateQuery", "AlterQuery")), told
        # The parser's own view of it, in one line: all that was there, on the cluster.
        formatted = chdb_store.query_rows("SELECT formatQuerySingleLine({sql:String})", {"sql": told})[0][0]
        assert "ON CLUSTER `east-1`" in formatted
        if "MergeTree" in statement:
            assert "Replicated" in formatted
            assert "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'" in formatted
            assert " non_replicated" not in formatted
            assert formatted.count("deduplication_window") == statement.count("deduplication_window")


def test_versions_stay_arguments_of_the_engine() -> None:
    told = on_cluster("CREATE TABLE t (a Int8, v Int8) ENGINE = ReplacingMergeTree(v) ORDER BY a", "c")
    assert (
        "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', v) ORDER BY a"
        in told
    )
    plain = on_cluster("CREATE TABLE t (a Int8) ENGINE = AggregatingMergeTree ORDER BY a", "c")
    assert (
        "ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}') ORDER BY a"
        in plain
    )


def test_without_a_cluster_nothing_changes_and_what_is_not_known_is_told() -> None:
    assert [on_cluster(statement, "") for statement in SCHEMA] == SCHEMA
    for name in ("a'b", "a b", "`", "1x"):
        with pytest.raises(ValueError, match="is not letters"):
            on_cluster(SCHEMA[0], name)
    with pytest.raises(ValueError, match="not known how"):
        on_cluster("DROP TABLE labels", "c")


@pytest.mark.parametrize("cluster", ["", "east"])
def test_the_roles_are_clickhouses_sql_for_any_database(chdb_store: Store, cluster: str) -> None:
    told = list(role_statements("watch_2", cluster))
    kinds = [tree(chdb_store, statement).partition(" ")[0].strip() for statement in told]
    assert set(kinds) == {"CreateSettingsProfileQuery", "CreateRoleQuery", "CreateQuotaQuery", "GrantQuery"}
    formatted = [
        chdb_store.query_rows("SELECT formatQuerySingleLine({sql:String})", {"sql": one})[0][0] for one in told
    ]
    assert all(("ON CLUSTER" in one) == bool(cluster) for one in formatted)
    grants = [one for one in formatted if one.startswith("GRANT")]
    assert all("ON watch_2.*" in one for one in grants)
    reading = next(one for one in grants if "stillwatch_reader" in one)
    assert not any(word in reading for word in ("INSERT", "ALTER", "ALL", "CREATE", "GRANT OPTION"))


def test_an_embedded_store_has_no_users(chdb_store: Store) -> None:
    with pytest.raises(SchemaError, match="has no users"):
        make_roles(chdb_store)
