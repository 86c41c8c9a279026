"""Which statements the HTTP interface runs: those that only read what is in the store.

`readonly` makes ClickHouse refuse most of the others, yet within a program chDB still lets a query write a file (INTO OUTFILE),
read one (`file()`), stop other queries, or look at the program's own variables. So ClickHouse's parser is asked what a statement
is, and what is not known to be harmless is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.store.migrate import statements_of

#: Roots of what ClickHouse's parser makes of statements that read. What begins with Show or Exists does too.
_READING = frozenset({"SelectWithUnionQuery", "SelectIntersectExceptQuery", "DescribeQuery", "Explain"})
#: What queries are made of.
_PARTS = _READING | {"SelectQuery", "TablesInSelectQuery"}
#: Table functions that give what is in the store, or nothing but numbers and constants.
TABLE_FUNCTIONS = frozenset(
    {
        "format",
        "generaterandom",
        "generateseries",
        "generate_series",
        "merge",
        "mergetreeindex",
        "null",
        "numbers",
        "numbers_mt",
        "primes",
        "sqlstandardvalues",
        "values",
        "view",
        "zeros",
        "zeros_mt",
    }
)
#: Functions that reach out of the store: files, other hosts, models.
_REACHING = frozenset({"file", "hascolumnintable", "reversednsquery", "catboostevaluate", "getclienthttpheader"})
#: Of language models behind an address (aiGenerate and its like).
_REACHING_PREFIX = "ai"
_FUNCTION = re.compile(r" *Function ([^ ]+)")
_TABLE = re.compile(r" *TableIdentifier ([^ ]+)")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
#: ClickHouse knows more quotes and comments than are told apart here; none of them is needed.
_STRANGE = re.compile("[#$\0‘’“”]")
_OUTFILE = re.compile(r"\bINTO\s+OUTFILE\b", re.IGNORECASE)
_OWN_FORMAT = re.compile(r"\bFORMAT\s+([A-Za-z][A-Za-z0-9]*)\s*\Z", re.IGNORECASE)
_FORMAT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class RefusedError(Exception):
    """A statement that is not run; the text is ClickHouse's, with its code."""


def one_statement(sql: bytes) -> str:
    """The one statement in `sql`, without comments. Raises `RefusedError`."""
    try:
        text = sql.decode()
    except UnicodeDecodeError:
        raise RefusedError("Code: 62. DB::Exception: Syntax error: the query is not UTF-8. (SYNTAX_ERROR)") from None
    statements = list(statements_of(text))
    if not statements:
        raise RefusedError("Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)")
    if len(statements) > 1:
        raise RefusedError("Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
    statement = statements[0]
    bare = _QUOTED.sub(" ", statement)
    strange = _STRANGE.search(bare)
    if strange:
        raise RefusedError(
            f"Code: 62. DB::Exception: Syntax error: {strange.group()!r} outside of quotes. (SYNTAX_ERROR)"
        )
    if any(quote in bare for quote in "'`\""):
        raise RefusedError("Code: 62. DB::Exception: Syntax error: a quote is not closed. (SYNTAX_ERROR)")
    if _OUTFILE.search(bare):
        raise _refused("INTO OUTFILE")
    return statement


def look_at(tree: Sequence[str], table_functions: Iterable[str]) -> frozenset[str]:
    """The tables that a statement names, of the lines that EXPLAIN AST gives. Raises `RefusedError` unless it only reads."""
    known = frozenset(name.lower() for name in table_functions)
    tables: set[str] = set()
    for line in tree:
        kind = line.strip().partition(" ")[0]
        depth = len(line) - len(line.lstrip(" "))
        reads = kind in (_PARTS if depth else _READING) or (depth == 0 and kind.startswith(("Show", "Exists")))
        if not reads and (depth == 0 or kind.endswith("Query")):
            raise _refused(kind.removesuffix("Query") or "this statement")
        if depth == 1 and kind == "Literal":
            raise _refused("INTO OUTFILE")
        if kind == "Set":
            raise _refused("SETTINGS in a query; give them as parameters of the request")
        if called := _FUNCTION.match(line):
            name = called.group(1).lower()
            reaching = name in known and name not in TABLE_FUNCTIONS
            if reaching or name in _REACHING or name.startswith(_REACHING_PREFIX):
                raise _refused(f"the function {called.group(1)}, which reaches out of the store")
        if named := _TABLE.match(line):
            tables.add(named.group(1))
    return frozenset(tables)


def with_format(statement: str, default: str) -> tuple[str, str]:
    """The statement with a FORMAT, and the format's name: its own, else `default`. Raises `RefusedError` for no name."""
    own = _OWN_FORMAT.search(_QUOTED.sub(" ", statement))
    if own:
        return statement, own.group(1)
    if not _FORMAT_NAME.fullmatch(default):
        raise RefusedError("Code: 73. DB::Exception: Unknown format. (UNKNOWN_FORMAT)")
    # In the statement, since chDB itself takes some names for objects of Python.
    return f"{statement}\nFORMAT {default}", default


def _refused(what: str) -> RefusedError:
    return RefusedError(
        f"Code: 164. DB::Exception: Cannot execute query in readonly mode: here, {what} is refused. (READONLY)"
    )
