"""`stillwatch forget`: deletes what the store holds of one account."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common
from pipeline.command_line.show import print_json, print_lines, print_table
from pipeline.event.harmless import harmless


def forget(
    account: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    dry_run: Annotated[bool, Parameter(name="--dry-run", negative=())] = False,
    states: Annotated[bool, Parameter(name="--states", negative=())] = False,
    yes: Annotated[bool, Parameter(name="--yes", negative=())] = False,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Delete what the store holds of one account, in every table and all runs. What it can't reach: docs/operations.md.

    Asks before it deletes. Prints one line for the audit on standard error, without the account's id.

    Parameters
    ----------
    account
        The account's id, exactly.
    dry_run
        Only count the rows of each table.
    states
        Also delete the states that may hold it: of the engine of its partition and of campaigns, which then begin anew. Stop the
        workers first.
    yes
        Delete without asking.
    json
        Print the counts as JSON.
    """
    from pipeline.command_line.connect import open_store
    from pipeline.store.forget import forget as delete_rows
    from pipeline.store.forget import rows_of

    if not 1 <= len(account) <= 256:
        raise Misuse("the account is 1 to 256 characters")
    settings = (common or Common()).settings()
    partitions = settings.stream.partitions
    with open_store(settings) as store:
        found = rows_of(store, account, partitions=partitions, states=states)
        if not dry_run:
            if not any(found.values()):
                raise Failure(f"the store holds nothing of account {harmless(account)}: give its id exactly")
            if not yes:
                _ask(account, sum(found.values()))
            found = delete_rows(store, account, partitions=partitions, states=states)
    if json:
        print_json({"dry_run": dry_run, "rows": found})
    else:
        shown = [(table, rows) for table, rows in found.items() if rows]
        print_table("rows to delete" if dry_run else "rows deleted", ("table", "rows"), shown)
    if not dry_run:
        tables = sum(rows > 0 for rows in found.values())
        now = datetime.now(UTC).isoformat(timespec="seconds")
        print(
            f"stillwatch: audit: {now} forgot one account: {sum(found.values())} rows of {tables} tables in {store.address}",
            file=sys.stderr,
        )
    return 0


def _ask(account: str, rows: int) -> None:
    if not sys.stdin.isatty():
        raise Misuse("forget: nobody is there to confirm; look with --dry-run, then give --yes")
    print_lines([f"{rows} rows of account {harmless(account)} will be deleted for good. Type forget to go on:"])
    if sys.stdin.readline().strip() != "forget":
        raise Failure("nothing was deleted")
