"""`stillwatch forget`: nothing of the account is left in any table, and all of the others is."""

import json
from collections.abc import Sequence

from store_support import START, Run, call, insert_calls, write_verdicts

from pipeline.event import Rejected, RejectReason, partition_of
from pipeline.incidents.suppression import Suppression
from pipeline.store.client import Store, connect
from pipeline.store.forget import OTHERS, ROWS, STATES, forget, rows_of
from pipeline.store.migrate import migrate
from pipeline.store.records import Label, write_labels
from pipeline.store.rows import rejected_table
from pipeline.store.suppressions import write_suppressions

GONE = "gone%_'\"\\\n\u202e"
LIKE_IT = [GONE + "2", "gonex_'\"\\\n\u202e"]
PARTITIONS = 8


def fill(store: Store, accounts: Sequence[str] = (GONE, *LIKE_IT)) -> None:
    for account in accounts:
        for run_id in ("live", "again") if account == GONE else ("live",):
            write_verdicts(store, run_id, account, hostile="calm")
        insert_calls(store, [call(hash(account) % 10_000 + index, account) for index in range(5)])
        write_labels(store, [Label(account_id=account, start=START, end=START + 1, kind="heavy")])
        held = Suppression(account=account, since=START, until=START + 1, kinds=(), above=7.0, note="")
        write_suppressions(store, [held])
        store.command(
            "INSERT INTO campaign_members (run_id, campaign_id, account_id) SELECT 'live', 'c', {account:String}",
            {"account": account},
        )
        store.command(
            "INSERT INTO suppressed_incidents (run_id, incident_id, entity_type, entity_id) "
            "SELECT 'live', {account:String}, 'account', {account:String}",
            {"account": account},
        )
        store.command(
            "INSERT INTO incident_triage (run_id, incident_id, state) SELECT run_id, incident_id, 'new' FROM incidents "
            "WHERE entity_id = {account:String}",
            {"account": account},
        )
        raws = [json.dumps({"account_id": account, "n": account}), f"x,{json.dumps(account, ensure_ascii=False)},y"]
        rejects = [
            Rejected(reason=RejectReason.MISSING_FIELD, detail="", raw=raw.encode(), received_at=START) for raw in raws
        ]
        store.insert_arrow("rejected_events", rejected_table(rejects))
    for partition in (-1, partition_of(GONE, PARTITIONS), (partition_of(GONE, PARTITIONS) + 1) % PARTITIONS):
        store.command(
            "INSERT INTO model_snapshots (run_id, partition, state) SELECT 'live', {partition:Int32}, 's'",
            {"partition": partition},
        )


def counts(store: Store, account: str) -> dict[str, int]:
    return rows_of(store, account, partitions=PARTITIONS, states=False)


def test_nothing_of_the_account_is_left_and_all_of_the_others_is(store: Store) -> None:
    fill(store)
    # Every kind of row is there, so that none can be passed over.
    assert all(counts(store, GONE).values()), counts(store, GONE)
    assert counts(store, GONE)["rejected_events"] == 2
    others = {account: counts(store, account) for account in (*LIKE_IT, "calm")}
    deleted = forget(store, GONE, partitions=PARTITIONS, states=False)
    assert deleted.keys() == ROWS.keys()
    assert all(deleted.values())
    assert not any(counts(store, GONE).values())
    assert {account: counts(store, account) for account in others} == others
    assert store.query_rows("SELECT count() FROM model_snapshots") == [(3,)]
    forget(store, GONE, partitions=PARTITIONS, states=True)
    assert store.query_rows("SELECT count() FROM model_snapshots") == [(1,)]


def test_every_table_is_one_that_forgetting_knows(chdb_store: Store) -> None:
    tables = chdb_store.query_rows(
        "SELECT name FROM system.tables WHERE database = 'stillwatch' AND engine LIKE '%MergeTree'"
    )
    assert {name for (name,) in tables} == ROWS.keys() | STATES.keys() | OTHERS
    named = chdb_store.query_rows(
        "SELECT DISTINCT table FROM system.columns WHERE database = 'stillwatch' "
        "AND name IN ('account_id', 'account', 'entity_id') AND table NOT IN "
        "(SELECT name FROM system.tables WHERE engine LIKE '%View')"
    )
    assert {name for (name,) in named} <= ROWS.keys() | STATES.keys()


def test_the_command_counts_asks_and_leaves_a_line_without_the_id(stillwatch: Run) -> None:
    with connect("chdb:.stillwatch/store") as store:
        migrate(store)
        fill(store, [GONE])
        before = counts(store, GONE)
    code, out, _ = stillwatch("forget", GONE, "--dry-run", "--json")
    assert (code, json.loads(out)) == (0, {"dry_run": True, "rows": before})
    code, _, err = stillwatch("forget", GONE)
    assert (code, "give --yes" in err) == (2, True)
    code, _, err = stillwatch("forget", "nobody", "--yes")
    assert (code, "holds nothing of account nobody" in err) == (1, True)
    with connect("chdb:.stillwatch/store") as store:
        assert counts(store, GONE) == before
    code, out, err = stillwatch("forget", GONE, "--yes")
    assert code == 0
    assert f"forgot one account: {sum(before.values())} rows of {len(ROWS)} tables in chdb:" in err
    assert "gone" not in out + err
    with connect("chdb:.stillwatch/store") as store:
        assert not any(counts(store, GONE).values())
