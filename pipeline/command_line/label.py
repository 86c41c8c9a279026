"""`stillwatch label`: an analyst's verdict."""

from __future__ import annotations

import re
from typing import Annotated

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.moments import moment, told
from pipeline.command_line.options import Common
from pipeline.command_line.show import print_json, print_lines
from pipeline.event.harmless import harmless

_KIND = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NOTE_LENGTH = 2000


def label(
    account: str,
    *,
    kind: Annotated[str, Parameter(name="--kind")],
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: Annotated[str | None, Parameter(name="--to")] = None,
    campaign: Annotated[str, Parameter(name="--campaign")] = "",
    note: Annotated[str, Parameter(name="--note")] = "",
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Record an analyst's verdict on an account; one of the same kind and start replaces the earlier.

    An account that is honest opens no incident for a while after, unless it shows more than it had; see docs/tuning.md.

    Parameters
    ----------
    account
        The account's id.
    kind
        What it did, for example heavy, ramp, pool, stolen_key; or honest, when it did nothing wrong.
    from_
        From when it holds: RFC 3339 or a date, UTC where no zone is given; the account's first call by default.
    to
        Until when it holds; the account's last call by default.
    campaign
        Campaign it belongs to.
    note
        In words.
    json
        Print the label as JSON.
    """
    from pipeline.store.analysis import account_span
    from pipeline.store.records import Label, write_labels
    from pipeline.store.suppressions import evidence_shown

    if not _KIND.fullmatch(kind):
        raise Misuse(f"--kind {harmless(kind)!r} is not 1 to 64 letters, digits, dots, dashes or underscores")
    if not 1 <= len(account) <= 256:
        raise Misuse("the account is 1 to 256 characters")
    if len(note) > _NOTE_LENGTH:
        raise Misuse(f"--note is {len(note)} characters, the limit is {_NOTE_LENGTH}")
    start, end = moment(from_, "--from"), moment(to, "--to")
    with store_of(common) as store:
        if start is None or end is None:
            span = account_span(store, account)
            if span is None:
                raise Failure(f"no call of account {harmless(account)} is known: give --from and --to")
            start, end = span[0] if start is None else start, span[1] if end is None else end
        if start > end:
            raise Misuse(f"--from ({told(start)}) is after --to ({told(end)})")
        shown = evidence_shown(store, account, start, end)
        verdict = Label(
            account_id=account, start=start, end=end, kind=kind, campaign_id=campaign, note=note, evidence=shown
        )
        write_labels(store, [verdict])
    if json:
        print_json({"account_id": account, "kind": kind, "start": told(start), "end": told(end), "note": note})
    else:
        print_lines([f"{harmless(account)} labelled {kind} from {told(start)} to {told(end)}"])
    return 0
