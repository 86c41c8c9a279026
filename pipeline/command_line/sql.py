"""`stillwatch sql`: one query on the store, read only."""

from __future__ import annotations

import re
import sys
from typing import Annotated

from cyclopts import Parameter

from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common

_TABLE = "table"
_FORMAT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_OWN_FORMAT = re.compile(r"\bFORMAT\s+[A-Za-z0-9]+\s*$", re.IGNORECASE)
_NUMERIC = re.compile(r"(?:Nullable\()?(?:U?Int|Float|Decimal)")
#: Short names, in small letters; ClickHouse's own names go through as they are.
_FORMATS = {
    "json": "JSON",
    "jsoneachrow": "JSONEachRow",
    "jsonl": "JSONEachRow",
    "csv": "CSVWithNames",
    "tsv": "TSVWithNames",
    "pretty": "PrettyCompact",
    "markdown": "Markdown",
}


def sql(
    query: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    format: Annotated[str, Parameter(name="--format")] = _TABLE,  # noqa: A002 - the option's name
    max_rows: Annotated[int, Parameter(name="--max-rows")] = 100_000,
    max_seconds: Annotated[float, Parameter(name="--max-seconds")] = 60.0,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Run one SQL query on the store; the server refuses everything that writes.

    Tables need no database before their name. Doubles that are not merged away yet are left out (FINAL) in every table.

    Parameters
    ----------
    query
        One SELECT, SHOW, DESCRIBE or EXPLAIN; - reads it from standard input.
    format
        table, csv, tsv, jsonl, or any output format of ClickHouse by its name (JSONEachRow, CSV, PrettyCompact, ...).
    max_rows
        Most rows of the result; a larger one is an error, not cut. 0 for no limit.
    max_seconds
        Longest time the query may take; 0 for no limit.
    json
        The same as --format JSONEachRow.
    """
    from pipeline.command_line.connect import store_of
    from pipeline.store.client import ReadLimits
    from pipeline.store.errors import TIMEOUT_EXCEEDED, TOO_MANY_ROWS, QueryError

    # A lone hyphen is standard input, so the command line takes anything that begins with one.
    if query.startswith("-") and query != "-" and not query.startswith(("-- ", "--\n")):
        raise Misuse(f"unknown option {query.split()[0]}; see --help")
    text = single_statement(sys.stdin.read() if query == "-" else query)
    output = "JSONEachRow" if json else _FORMATS.get(format, format)
    if not _FORMAT_NAME.fullmatch(output):
        raise Misuse(f"--format {format!r} is no format: write table, csv, tsv, jsonl or one that ClickHouse names")
    if max_rows < 0 or max_seconds < 0:
        raise Misuse("--max-rows and --max-seconds are 0 (no limit) or more")
    with store_of(common) as store, store.read_only(ReadLimits(max_rows, max_seconds)) as reader:
        try:
            if _OWN_FORMAT.search(text):
                _write(reader.query_raw(text))
            elif output == _TABLE:
                _print(reader.query_raw(text, "JSONCompactStringsEachRowWithNamesAndTypes"))
            else:
                _write(reader.query_raw(text, output))
        except QueryError as error:
            if error.code in (TOO_MANY_ROWS, TIMEOUT_EXCEEDED) and reader.address.held_folder is not None:
                what = "rows" if error.code == TOO_MANY_ROWS else "seconds"
                raise Failure(
                    f"the query takes more {what} than asked for or than the worker that holds the store allows: narrow it, "
                    f"or raise --max-{what} and store.http_max_{what}"
                ) from None
            if error.code == TOO_MANY_ROWS:
                raise Failure(
                    f"the result has more than {max_rows:,} rows: add a LIMIT, or give --max-rows a higher number"
                ) from None
            if error.code == TIMEOUT_EXCEEDED:
                raise Failure(
                    f"the query took longer than {max_seconds:g} s: narrow its time range, or raise --max-seconds"
                ) from None
            raise
    return 0


def single_statement(text: str) -> str:
    """The one statement in `text`, without comments and the semicolon after it. Raises `Misuse` for none or several."""
    from pipeline.store.migrate import statements_of

    statements = list(statements_of(text))
    if len(statements) != 1:
        raise Misuse(f"one query at a time, this is {len(statements)}" if statements else "the query is empty")
    return statements[0]


def _print(lines: bytes) -> None:
    import msgspec

    from pipeline.command_line.show import print_table

    names, types, *rows = (msgspec.json.decode(line, type=list[str | None]) for line in lines.splitlines() if line)
    numeric = [bool(_NUMERIC.match(kind or "")) for kind in types]
    print_table("", [name or "" for name in names], rows, numeric)
    print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", file=sys.stderr)


def _write(answer: bytes) -> None:
    sys.stdout.buffer.write(answer)
    if answer and not answer.endswith(b"\n") and sys.stdout.isatty():
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
