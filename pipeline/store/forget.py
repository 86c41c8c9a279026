"""Deleting what the store holds of one account, on request."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.event import partition_of
from pipeline.store.client import Store
from pipeline.store.errors import StoreError

_OF_ACCOUNT = "account_id = {account:String}"
_OF_ENTITY = "entity_type = 'account' AND entity_id = {account:String}"
#: Which rows of each table are of an account. Tables that are not here have no row of a single account, or are states.
ROWS: Mapping[str, str] = {
    # Before the incidents that it is of.
    "incident_triage": (f"(run_id, incident_id) IN (SELECT run_id, incident_id FROM incidents WHERE {_OF_ENTITY})"),
    "api_calls": _OF_ACCOUNT,
    "call_scores": _OF_ACCOUNT,
    "account_windows": _OF_ACCOUNT,
    "account_daily_scores": _OF_ACCOUNT,
    "account_daily_usage": _OF_ACCOUNT,
    "incidents": _OF_ENTITY,
    "suppressed_incidents": _OF_ENTITY,
    "campaign_members": _OF_ACCOUNT,
    "labels": _OF_ACCOUNT,
    # A pattern of several accounts stays.
    "suppressions": "account = {account:String}",
    # What was rejected is text: the account is a field of it, or stands in quotes somewhere.
    "rejected_events": (
        "JSONExtractString(raw, 'account_id') = {account:String} OR position(raw, toJSONString({account:String})) > 0"
    ),
}
#: States that may hold it: of its partition, of campaigns (numbers below 0), and its own once it has left memory.
STATES: Mapping[str, str] = {
    "model_snapshots": "partition = {partition:Int32} OR partition < 0",
    "account_states": _OF_ACCOUNT,
}
#: Tables without anything of a single account: sums over all, and what programs keep of themselves.
OTHERS = frozenset({"calls_per_minute", "campaigns", "offset_gaps", "replay_runs", "schema_migrations"})


def rows_of(store: Store, account: str, *, partitions: int, states: bool) -> dict[str, int]:
    """Rows that `forget` would delete, by table."""
    return {table: _count(store, table, condition, account, partitions) for table, condition in _all(states).items()}


def forget(store: Store, account: str, *, partitions: int, states: bool) -> dict[str, int]:
    """Delete the rows of an account, in all runs; with `states` also the states that may hold it. Rows deleted, by table.

    Returns when they are gone. Raises `StoreError` when some are still there, as when a worker writes them again meanwhile.
    """
    deleted = rows_of(store, account, partitions=partitions, states=states)
    for table, condition in _all(states).items():
        if deleted[table]:
            # A mutation writes the parts anew, where a lightweight DELETE would only hide the rows until a merge.
            settings = {"mutations_sync": 2, "allow_nondeterministic_mutations": 1}
            store.command(f"ALTER TABLE {table} DELETE WHERE {condition}", _bound(account, partitions), settings)
    left = {
        table: rows for table, rows in rows_of(store, account, partitions=partitions, states=states).items() if rows
    }
    if left:
        counts = ", ".join(f"{rows} in {table}" for table, rows in left.items())
        raise StoreError(
            f"rows of the account came again while it was forgotten ({counts}): stop the workers, then repeat"
        )
    return deleted


def _all(states: bool) -> dict[str, str]:
    return {**ROWS, **STATES} if states else dict(ROWS)


def _count(store: Store, table: str, condition: str, account: str, partitions: int) -> int:
    sql = f"SELECT count() FROM {table} WHERE {condition} SETTINGS final = 0"
    return int(store.query_rows(sql, _bound(account, partitions))[0][0])


def _bound(account: str, partitions: int) -> dict[str, object]:
    return {"account": account, "partition": partition_of(account, partitions)}
