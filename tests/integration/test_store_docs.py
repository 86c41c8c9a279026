"""`docs/sql.md` says what is so: its queries run and give rows, its tables are the schema's."""

import re
from pathlib import Path

import msgspec
from store_support import START, call, incident, insert_calls, scores, windows

from pipeline.event import Rejected, RejectReason
from pipeline.store.client import Store
from pipeline.store.records import Label, ReplayRun, save_run, write_labels
from pipeline.store.reference import table_reference
from pipeline.store.rows import account_windows_table, call_scores_table, incidents_table, rejected_table

DOCS = Path(__file__).parents[2] / "docs" / "sql.md"
QUERIES = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
HEAVY = "acct-0042"


#: What each query must answer of what `fill` has put in: a part of the query, and parts of the answer.
ANSWERS = {
    "FROM account_risk_now": ['"acct-0042","high","2024-12-01 00:00:00.000",1000'],
    "FROM top_extractors": ['"acct-0042","2024-12-01 00:00:00.000"', "['camp-1']", "['heavy']"],
    "FROM campaign_overview": ['"camp-1","open",2,1,5000,"[\'payment\',\'address\']","p1"', "['acct-0042','other']"],
    "payment_id IS NOT NULL AND ts": ['"p1",3'],
    "prompt_hash IS NOT NULL AND ts": ['"ab",2'],
    "min(signup_ts)": ['"calm","2024-11-30 00:00:00.000",'],
    "FROM account_daily\n": ['"2024-12-01",10,100,', '"2024-12-08",1,10,'],
    "toHour(ts, 'UTC')": ["0,10,100"],
    "AS this_week": ['"acct-0042",10,100,0.1'],
    "max(severity) AS worst": ['"acct-0042"', '"high"'],
    "FROM incident_timeline": ['"first evidence"', '"detected"', '"latest evidence"'],
    "count() AS windows": ['"hour_volume:log_output_tokens",10,12.5,4.25'],
    "count() AS incidents, round(sum(reason.share)": ['"hour_volume:log_output_tokens",2,1.5'],
    "client_ip IN (SELECT": ['"calm"', '"other"'],
    "bitHammingDistance": ['"calm","other",1'],
    "FROM calls_per_minute\nWHERE": ['"2024-12-01 00:00:00",20,0,200,3'],
    "FROM model_usage_shift": ['"2024-12-08","large",10,29,0.35,1'],
    "AS by_suspects": ['"large",11,10'],
    "AS calls\nLEFT JOIN": ['"large","10.0.0.1"', '"ab",0.5'],
    "FROM live_vs_replay": ['"acct-0042","both"', '"calm","replay"'],
    "minutes_on_average": ['"volume",1,60,60'],
    "AS per_1000": ["1,4,250"],
    "AS share_above_99": ['"2024-12-01",'],
    "a_day_after": ['"acct-0042","heavy",100,10'],
    "FROM suppressed_incidents": ['"acct-0042","volume"', "acct-*: a test"],
    "FROM rejected_summary": ['"malformed_json","",1'],
    "FROM account_silence": ['"calm"'],
    "FROM offset_gaps": ["0,0"],
    "windows.window_start < incidents.detected_at": ['"acct-0042","incident-acct-0042",6000,7000'],
    "windows.window_start < found.detected_at": ['"acct-0042","heavy",6000,9000'],
}


def fill(store: Store) -> None:
    shared = {"client_ip": "10.0.0.1", "payment_id": "p1", "model": "large", "output_tokens": 10}
    calls = [
        call(
            index,
            account,
            prompt_simhash=f"{7 + index % 2:016x}",
            prompt_hash="ab" if account != "calm" else f"c{index % 10}",
            signup_ts=START - 86_400_000 if account == "calm" else None,
            **shared,
        )
        for index, account in enumerate([HEAVY, "calm", HEAVY, "other"] * 5)
    ]
    calls.append(call(99, HEAVY, START + 7 * 86_400_000, **shared))
    insert_calls(store, calls, list(range(len(calls))))
    store.insert_arrow("call_scores", call_scores_table(scores(calls, [0.5] * len(calls)), run_id="live"))
    for account in (HEAVY, "calm"):
        store.insert_arrow("account_windows", account_windows_table(windows(account, 9, score=0.99), run_id="live"))
    store.insert_arrow("account_windows", account_windows_table(windows(HEAVY, 1, 3600, 0.99), run_id="live"))
    store.insert_arrow("incidents", incidents_table([incident(account=HEAVY)], run_id="live"))
    put_campaign(store)
    put_replay(store)
    put_suppressed(store)
    write_labels(store, [Label(account_id=HEAVY, start=START, end=START + 86_400_000, kind="heavy")])
    store.command(
        "INSERT INTO rejected_events (received_at, reason, raw) SELECT now64(3), 'malformed_json', '{'",
    )
    store.insert_arrow(
        "rejected_events",
        rejected_table([Rejected(reason=RejectReason.OVERSIZED, detail="", raw=b"x", received_at=START)]),
    )


def put_campaign(store: Store) -> None:
    store.command(
        "INSERT INTO campaigns (run_id, campaign_id, version, members, output_tokens, status, evidence) "
        "SELECT 'live', 'camp-1', 1, 2, 5000, 'open', [('address', '10.0.0.1', 1), ('payment', 'p1', 3)]"
    )
    store.command(
        "INSERT INTO campaign_members (run_id, campaign_id, account_id, joined_at) "
        "SELECT 'live', 'camp-1', arrayJoin(['acct-0042', 'other']), '2024-12-01'"
    )
    # An incident of a campaign is none of its members'.
    store.insert_arrow(
        "incidents",
        incidents_table(
            [msgspec.structs.replace(incident(account="camp-1"), entity_type="campaign", kind="c")], run_id="live"
        ),
    )


def put_replay(store: Store) -> None:
    run = ReplayRun(
        run_id="replay-2024-12",
        created_at=START,
        source="clickhouse",
        from_ms=START,
        to_ms=None,
        config="{}",
        code_version="0",
    )
    save_run(store, run)
    found = [incident(account=HEAVY), incident(account="calm")]
    store.insert_arrow("incidents", incidents_table(found, run_id="replay-2024-12"))


def put_suppressed(store: Store) -> None:
    store.command(
        "INSERT INTO suppressed_incidents (run_id, incident_id, version, kind, entity_id, severity, suppressed_by) "
        "SELECT 'live', 's', 1, 'volume', 'acct-0042', 'high', 'acct-*: a test'"
    )


def test_every_query_runs_read_only_and_answers_what_is_so(store: Store) -> None:
    assert len(QUERIES) >= 20
    fill(store)
    with store.read_only() as reader:
        for query in QUERIES:
            expected = [parts for fragment, parts in ANSWERS.items() if fragment in query]
            assert len(expected) == 1, query
            answer = reader.query_raw(query, "CSV").decode()
            assert all(part in answer for part in expected[0]), f"{query}\n{answer}"


CONDITIONS = {
    "account_risk_now": "account_id = 'a' AND run_id = 'live'",
    "account_daily": "run_id = 'live' AND account_id = 'a' AND day = '2024-12-01'",
    "incident_timeline": "run_id = 'live'",
    "top_extractors": "run_id = 'live'",
    "campaign_overview": "run_id = 'live'",
    "live_vs_replay": "run_id = 'again'",
    "rejected_summary": "day = '2024-12-01'",
}


def test_a_condition_on_a_view_reaches_the_keys_of_its_tables(chdb_store: Store) -> None:
    fill(chdb_store)
    for view, condition in CONDITIONS.items():
        plan = [
            line for (line,) in chdb_store.query_rows(f"EXPLAIN indexes = 1 SELECT * FROM {view} WHERE {condition}")
        ]
        first = "run_id" if "run_id" in condition else "received_at"
        assert any("Condition: " in line and first in line for line in plan), "\n".join(plan)


def test_the_tables_are_those_of_the_schema(chdb_store: Store) -> None:
    described = DOCS.read_text().partition("only when named.\n\n")[2]
    assert described.strip() == table_reference(chdb_store).strip()
