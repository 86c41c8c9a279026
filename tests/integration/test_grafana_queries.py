"""Every SQL query of the dashboards runs on the store as Grafana's ClickHouse plugin would send it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from pipeline.store.client import Store

DASHBOARDS = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
FROM, TO, INTERVAL_S = datetime(2024, 12, 1, tzinfo=UTC), datetime(2024, 12, 8, tzinfo=UTC), 600


def as_sent(sql: str, variables: dict[str, str]) -> str:
    """The query with the plugin's macros and Grafana's variables replaced, as the plugin's manual says they are."""
    start, end = int(FROM.timestamp()), int(TO.timestamp())
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({start}) AND \1 <= toDateTime({end})", sql)
    sql = re.sub(r"\$__dateFilter\((\w+)\)", rf"\1 >= toDate('{FROM:%F}') AND \1 <= toDate('{TO:%F}')", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {INTERVAL_S} second)", sql)
    return re.sub(r"\$\{(\w+):sqlstring\}", lambda found: "'" + variables[found[1]].replace("'", "''") + "'", sql)


def queries() -> list[tuple[str, str, str]]:
    """Title, type of query, and SQL of each; the variables' queries too."""
    found = []
    for path in sorted(DASHBOARDS.glob("*.json")):
        document = json.loads(path.read_text())
        for panel in document["panels"]:
            found += [(panel["title"], one["queryType"], one["rawSql"]) for one in panel["targets"] if "rawSql" in one]
        for variable in document["templating"]["list"]:
            if variable["type"] == "query":
                found.append((variable["name"], "variable", variable["query"]))
    return found


def test_macros_and_variables_become_sql() -> None:
    sql = "SELECT $__timeInterval(ts) WHERE $__timeFilter(ts) AND $__dateFilter(day) AND run_id = ${run:sqlstring}"
    assert as_sent(sql, {"run": "o'hara"}) == (
        "SELECT toStartOfInterval(toDateTime(ts), INTERVAL 600 second) WHERE ts >= toDateTime(1733011200) AND "
        "ts <= toDateTime(1733616000) AND day >= toDate('2024-12-01') AND day <= toDate('2024-12-08') AND run_id = 'o''hara'"
    )


def filled(store: Store) -> None:
    at = "toDateTime64('2024-12-03 10:00:00', 3, 'UTC')"
    for statement in (
        f"INSERT INTO api_calls (event_id, ts, account_id, output_tokens) SELECT toString(number), {at} + number, 'a', 5 "
        "FROM numbers(20)",
        f"INSERT INTO call_scores (run_id, account_id, ts, event_id, score) SELECT 'live', 'a', {at} + number, "
        "toString(number), if(number = 0, 0.995, 0.5) FROM numbers(20)",
        f"INSERT INTO account_windows (run_id, account_id, window_s, window_start, calls, output_tokens, score) "
        f"VALUES ('live', 'a', 3600, {at}, 20, 100, 0.9)",
        f"INSERT INTO incidents (run_id, incident_id, version, kind, entity_type, entity_id, opened_at, detected_at, "
        f"last_seen_at, severity, status, output_tokens) VALUES ('live', 'i', 1, 'heavy', 'account', 'a', {at}, {at} + 60, "
        f"{at}, 'high', 'open', 100)",
        f"INSERT INTO campaigns (run_id, campaign_id, version, opened_at, detected_at, last_seen_at, members, status) "
        f"VALUES ('live', 'c', 1, {at}, {at}, {at}, 3, 'open')",
        f"INSERT INTO rejected_events (received_at, source, reason, raw) VALUES ({at}, 'file', 'not_json', 'x')",
    ):
        store.command(statement)


def test_every_query_of_the_dashboards_finds_what_is_there(chdb_store: Store) -> None:
    filled(chdb_store)
    asked = queries()
    assert len(asked) >= 14
    for title, kind, sql in asked:
        text = as_sent(sql, {"run": "live", "account": "a"})
        assert "$" not in text, title
        names, types, *rows = [
            json.loads(line)
            for line in chdb_store.query_raw(text, output_format="JSONCompactEachRowWithNamesAndTypes").splitlines()
        ]
        assert rows, title
        if kind == "timeseries":
            assert names[0] == "time", title
            assert types[0].startswith("DateTime"), title
        else:
            assert not any(name.startswith("$") for name in names)
