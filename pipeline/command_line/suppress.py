"""`stillwatch suppress`: which accounts open no incident for a time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pipeline.command_line.connect import open_store
from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.moments import moment, told
from pipeline.command_line.options import Common
from pipeline.command_line.show import print_json, print_lines, print_table
from pipeline.event.harmless import harmless

if TYPE_CHECKING:
    from pipeline.incidents.suppression import Suppression
    from pipeline.settings import IncidentSettings
    from pipeline.store.client import Store

_HOUR_MS = 3_600_000
_LONGEST_PATTERN, _LONGEST_NOTE = 1024, 2000


def suppress(
    account: str | None = None,
    *,
    until: Annotated[str | None, Parameter(name="--until")] = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    kind: Annotated[tuple[str, ...], Parameter(name="--kind", negative=())] = (),
    above: Annotated[float, Parameter(name="--above")] = 7.0,
    note: Annotated[str, Parameter(name="--note")] = "",
    list_: Annotated[bool, Parameter(name="--list", negative=())] = False,
    lift: Annotated[bool, Parameter(name="--lift", negative=())] = False,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Let accounts open no incident for a time, unless they show far more evidence; list what is suppressed, or lift it.

    Parameters
    ----------
    account
        The account, or a pattern of accounts: * any characters, ? one, [ab] one of them.
    until
        Event time at which it ends: RFC 3339 or a date, UTC where no zone is given. With --lift, from when on; now by default.
    from_
        Event time at which it begins; the beginning of this hour by default.
    kind
        Only incidents of this kind: volume, diversity, novelty, elicitation, rhythm or errors; may be repeated.
    above
        Evidence from here on, in nats, opens an incident all the same.
    note
        Why.
    list_
        List all that settings, this command and verdicts suppress.
    lift
        End what this command has suppressed with this very pattern.
    json
        Print JSON.
    """
    from pipeline.incidents.story import KINDS

    unknown = [one for one in kind if one not in KINDS]
    if unknown:
        raise Misuse(f"--kind {harmless(unknown[0])!r} is none of {', '.join(KINDS)}")
    if list_ and (lift or account is not None):
        raise Misuse("suppress: --list takes no account and no --lift")
    if not list_ and account is None:
        raise Misuse("suppress: name an account or a pattern of accounts, or give --list")
    kinds = tuple(sorted(set(kind)))
    settings = (common or Common()).settings()
    if list_:
        with open_store(settings, through_holder=True) as store:
            _list(_all(store, settings.engine.incident), json)
        return 0
    assert account is not None
    now = time.time_ns() // 1_000_000
    # An hour that is under way is suppressed whole: it is judged when it has ended, so every replay judges it alike.
    hour = now - now % _HOUR_MS
    end, since = moment(until, "--until"), moment(from_, "--from")
    if lift:
        if since is not None:
            raise Misuse("suppress: --lift takes no --from")
        return _lift(account, kinds, hour if end is None else end, settings, json)
    since = hour if since is None else since
    one = _checked(account, since, end, kinds, above, note)
    from pipeline.store.suppressions import write_suppressions

    with open_store(settings, through_holder=True) as store:
        write_suppressions(store, [one])
    if json:
        print_json(_record(one, "suppress"))
    else:
        print_lines([f"{_whose(one)} suppressed from {told(one.since)} to {told(one.until)} below {one.above:g} nats"])
    return 0


def _checked(
    account: str, since: int, until: int | None, kinds: tuple[str, ...], above: float, note: str
) -> Suppression:
    from pipeline.incidents.suppression import Suppression

    if not 1 <= len(account) <= _LONGEST_PATTERN:
        raise Misuse(f"the account or pattern is 1 to {_LONGEST_PATTERN} characters")
    if len(note) > _LONGEST_NOTE:
        raise Misuse(f"--note is {len(note)} characters, the limit is {_LONGEST_NOTE}")
    if until is None:
        raise Misuse("suppress: give --until; nothing is suppressed for good")
    if not math.isfinite(above) or above <= 0:
        raise Misuse(f"--above {above}: must be a number above 0")
    if until <= since:
        raise Misuse(f"--until ({told(until)}) is not after --from ({told(since)})")
    return Suppression(account=account, since=since, until=until, kinds=kinds, above=above, note=note)


def _lift(account: str, kinds: tuple[str, ...], at: int, settings: Any, json: bool) -> int:
    from pipeline.store.suppressions import lift

    with open_store(settings, through_holder=True) as store:
        lifted = lift(store, account, kinds, at)
    if not lifted:
        raise Failure(
            f"nothing is suppressed with the pattern {harmless(account)} after {told(at)}: see `stillwatch suppress --list`, "
            "or give an earlier --until"
        )
    if json:
        print_json([_record(one, "suppress") for one in lifted])
    else:
        print_lines([f"{_whose(one)} lifted from {told(max(one.until, at))} on" for one in lifted])
    return 0


def _all(store: Store, settings: IncidentSettings) -> list[tuple[Suppression, str]]:
    from pipeline.incidents.feedback import allow_list
    from pipeline.incidents.suppression import of_settings
    from pipeline.store.suppressions import read_suppressions, read_verdicts

    return [
        *((one, "settings") for one in of_settings(settings.suppressions)),
        *((one, "suppress") for one in read_suppressions(store)),
        *((one, "label") for one in allow_list(read_verdicts(store), settings)),
    ]


def _list(found: Sequence[tuple[Suppression, str]], json: bool) -> None:
    records = [_record(one, origin) for one, origin in found]
    if json:
        print_json(records)
    elif not records:
        print_lines(["nothing is suppressed"])
    else:
        columns = ("account", "kinds", "since", "until", "above", "by", "note")
        rows = [[", ".join(one[name]) if name == "kinds" else one[name] for name in columns] for one in records]
        print_table("suppressions", columns, rows)


def _record(one: Suppression, origin: str) -> dict[str, Any]:
    return {
        "account": one.account,
        "kinds": list(one.kinds),
        "since": told(one.since),
        "until": told(one.until),
        "above": one.above,
        "note": one.note,
        "by": origin,
    }


def _whose(one: Suppression) -> str:
    return f"{harmless(one.account)}, {' and '.join(one.kinds) or 'all kinds'}:"
