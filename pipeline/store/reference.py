"""The reference of the tables, made from the comments in the schema; `docs/sql.md` holds it and a test compares."""

from __future__ import annotations

from itertools import groupby

from pipeline.store.client import Store
from pipeline.store.queries import query


def table_reference(store: Store) -> str:
    """Markdown: each table with its purpose and its columns."""
    rows = store.query_rows(query("reference"), {"database": store.address.database})
    lines: list[str] = []
    for (table, purpose), columns in groupby(rows, key=lambda row: (row[0], row[1])):
        lines += [f"### `{table}`", "", f"{purpose}.", "", "| column | type | |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | `{kind}` | {comment} |" for _, _, name, kind, comment in columns]
        lines.append("")
    return "\n".join(lines)
