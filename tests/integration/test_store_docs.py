"""`docs/sql.md` says what is so: its queries run and give rows, its tables are the schema's."""

import re
from pathlib import Path

from store_support import START, call, incident, insert_calls, scores, windows

from pipeline.event import Rejected, RejectReason
from pipeline.store.client import Store
from pipeline.store.records import Label, write_labels
from pipeline.store.reference import table_reference
from pipeline.store.rows import account_windows_table, call_scores_table, incidents_table, rejected_table

DOCS = Path(__file__).parents[2] / "docs" / "sql.md"
QUERIES = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
HEAVY = "acct-0042"


def fill(store: Store) -> None:
    shared = {"client_ip": "10.0.0.1", "payment_id": "p1", "model": "large"}
    calls = [
        call(index, account, prompt_simhash=f"{7 + index % 2:016x}", output_tokens=10, **shared)
        for index, account in enumerate([HEAVY, "calm", HEAVY, "other"] * 5)
    ]
    insert_calls(store, calls, list(range(len(calls))))
    store.insert_arrow("call_scores", call_scores_table(scores(calls, [0.5] * len(calls)), run_id="live"))
    for account in (HEAVY, "calm"):
        store.insert_arrow("account_windows", account_windows_table(windows(account, 9, score=0.99), run_id="live"))
    store.insert_arrow("incidents", incidents_table([incident(account=HEAVY)], run_id="live"))
    write_labels(store, [Label(account_id=HEAVY, start=START, end=START + 86_400_000, kind="heavy")])
    store.command(
        "INSERT INTO rejected_events (received_at, reason, raw) SELECT now64(3), 'malformed_json', '{'",
    )
    store.insert_arrow(
        "rejected_events",
        rejected_table([Rejected(reason=RejectReason.OVERSIZED, detail="", raw=b"x", received_at=START)]),
    )


def test_every_query_runs_read_only_and_finds_something(store: Store) -> None:
    assert len(QUERIES) >= 8
    fill(store)
    with store.read_only() as reader:
        for query in QUERIES:
            assert reader.query_raw(query, "CSV").strip(), query


def test_the_tables_are_those_of_the_schema(chdb_store: Store) -> None:
    described = DOCS.read_text().partition("only when named.\n\n")[2]
    assert described.strip() == table_reference(chdb_store).strip()
