"""What an analyst asks first: `stillwatch top`, `explain`, `incidents`, `campaigns` and `label`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common
from pipeline.command_line.show import cell, harmless, print_json, print_lines, print_table

Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative=())]
RunId: TypeAlias = Annotated[str, Parameter(name="--run-id")]
Limit: TypeAlias = Annotated[int, Parameter(name="--limit")]

_KIND = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NOTE_LENGTH = 2000
_WINDOW_NAMES = {60: "1 m", 600: "10 m", 3600: "1 h", 86_400: "1 d"}


def top(
    *,
    run_id: RunId = "live",
    days: Annotated[int, Parameter(name="--days")] = 7,
    limit: Limit = 20,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Show the accounts that are most at risk of being extractors: those with incidents first, then by score.

    Parameters
    ----------
    run_id
        live, or a replay's name.
    days
        How far to look back from the newest day the run has seen.
    limit
        Most accounts shown.
    json
        Print JSON.
    """
    from pipeline.store.analysis import top_accounts

    _require_positive(days=days, limit=limit)
    with store_of(common) as store:
        found = top_accounts(store, run_id, days=days, limit=limit)
    if json:
        print_json(found)
    elif not found:
        print_lines([f"run {run_id}: no scores yet"])
    else:
        columns = (
            "account_id",
            "peak_score",
            "open_incidents",
            "incidents",
            "since",
            "output_tokens",
            "calls",
            "above_99",
        )
        _print_records(f"accounts by risk, run {run_id}, latest {days} days", columns, found)
    return 0


def explain(
    account: str,
    *,
    run_id: RunId = "live",
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Show why an account stands out: since when, how much, the reasons, and together with whom.

    Parameters
    ----------
    account
        The account's id.
    run_id
        live, or a replay's name.
    json
        Print JSON.
    """
    from pipeline.store.analysis import explain_account

    with store_of(common) as store:
        found = explain_account(store, run_id, account)
    if found is None:
        raise Failure(
            f"account {harmless(account)} is not in run {harmless(run_id)}: see `stillwatch top` for its accounts"
        )
    if json:
        print_json(found)
    else:
        _print_explanation(found)
    return 0


def incidents(
    *,
    run_id: RunId = "live",
    status: Annotated[str, Parameter(name="--status")] = "",
    limit: Limit = 50,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """List incidents, the latest detected first.

    Parameters
    ----------
    run_id
        live, or a replay's name.
    status
        open or closed; both by default.
    limit
        Most incidents shown.
    json
        Print JSON.
    """
    from pipeline.store import analysis

    _require_positive(limit=limit)
    if status not in ("", "open", "closed"):
        raise Misuse(f"--status {status!r} is neither open nor closed")
    with store_of(common) as store:
        found = analysis.incidents(store, run_id, status=status, limit=limit)
    if json:
        print_json(found)
    elif not found:
        print_lines([f"run {run_id}: no incidents"])
    else:
        columns = ("entity_id", "kind", "severity", "status", "opened_at", "detected_at", "output_tokens", "summary")
        _print_records(f"incidents, run {run_id}", columns, found)
    return 0


def campaigns(
    *,
    run_id: RunId = "live",
    limit: Limit = 50,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """List campaigns of coordinated accounts, the latest detected first.

    Parameters
    ----------
    run_id
        live, or a replay's name.
    limit
        Most campaigns shown.
    json
        Print JSON.
    """
    from pipeline.store import analysis

    _require_positive(limit=limit)
    with store_of(common) as store:
        found = analysis.campaigns(store, run_id, limit=limit)
    if json:
        print_json(found)
    elif not found:
        print_lines([f"run {run_id}: no campaigns"])
    else:
        columns = (
            "campaign_id",
            "status",
            "members",
            "opened_at",
            "detected_at",
            "output_tokens",
            "score",
            "evidence",
            "first_members",
        )
        shown = [{**record, "evidence": _evidence(record["evidence"])} for record in found]
        _print_records(f"campaigns, run {run_id}", columns, shown)
    return 0


def label(
    account: str,
    *,
    kind: Annotated[str, Parameter(name="--kind")],
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: Annotated[str | None, Parameter(name="--to")] = None,
    campaign: Annotated[str, Parameter(name="--campaign")] = "",
    note: Annotated[str, Parameter(name="--note")] = "",
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Record an analyst's verdict on an account; one of the same kind and start replaces the earlier.

    Parameters
    ----------
    account
        The account's id.
    kind
        What it did, for example heavy, ramp, pool, stolen_key, or benign.
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

    if not _KIND.fullmatch(kind):
        raise Misuse(f"--kind {harmless(kind)!r} is not 1 to 64 letters, digits, dots, dashes or underscores")
    if not 1 <= len(account) <= 256:
        raise Misuse("the account is 1 to 256 characters")
    if len(note) > _NOTE_LENGTH:
        raise Misuse(f"--note is {len(note)} characters, the limit is {_NOTE_LENGTH}")
    start, end = _moment(from_, "--from"), _moment(to, "--to")
    with store_of(common) as store:
        if start is None or end is None:
            span = account_span(store, account)
            if span is None:
                raise Failure(f"no call of account {harmless(account)} is known: give --from and --to")
            start, end = span[0] if start is None else start, span[1] if end is None else end
        if start > end:
            raise Misuse(f"--from ({_text(start)}) is after --to ({_text(end)})")
        write_labels(
            store, [Label(account_id=account, start=start, end=end, kind=kind, campaign_id=campaign, note=note)]
        )
    if json:
        print_json({"account_id": account, "kind": kind, "start": _text(start), "end": _text(end), "note": note})
    else:
        print_lines([f"{harmless(account)} labelled {kind} from {_text(start)} to {_text(end)}"])
    return 0


def _print_records(title: str, columns: Sequence[str], records: Sequence[Mapping[str, Any]]) -> None:
    headings = [column.replace("_", " ") for column in columns]
    print_table(title, headings, [[record[column] for column in columns] for record in records])


def _print_explanation(found: Mapping[str, Any]) -> None:
    lines = [
        f"account {harmless(found['account_id'], 256)}, run {harmless(found['run_id'])}",
        f"seen {cell(found['first_day'])} to {cell(found['last_day'])}: {cell(found['calls'])} calls, "
        f"{cell(found['output_tokens'])} output tokens, peak score {cell(found['peak_score'])}",
    ]
    if found["since"] is not None:
        lines.append(
            f"since {cell(found['since'])}: {len(found['incidents'])} incident(s), "
            f"{cell(found['extracted_output_tokens'])} output tokens meanwhile"
        )
    else:
        lines.append("no incident")
    lines.extend(
        f"{incident['severity']} {incident['status']}, opened {cell(incident['opened_at'])}, "
        f"detected {cell(incident['detected_at'])}: {incident['summary']}"
        for incident in found["incidents"]
    )
    print_lines(lines)
    reasons = [
        (cell(incident["opened_at"]), *_reason(reason))
        for incident in found["incidents"]
        for reason in incident["reasons"]
    ]
    if reasons:
        print_table("reasons of the incidents", ("opened at", "feature", "observed", "expected", "share"), reasons)
    windows = [
        (_WINDOW_NAMES.get(window["window_s"], ""), window["window_start"], window["score"], *_reason(reason))
        for window in found["windows"]
        for reason in window["reasons"]
    ]
    if windows:
        headings = ("window", "start", "score", "feature", "observed", "expected", "share")
        print_table("windows that stand out most", headings, windows)
    if found["together_with"]:
        shown = [{**record, "evidence": _evidence(record["evidence"])} for record in found["together_with"]]
        _print_records("together with", ("campaign_id", "account_id", "joined_at", "evidence"), shown)
    if found["labels"]:
        _print_records("labels", ("kind", "start", "end", "source", "note"), found["labels"])


def _evidence(evidence: Sequence[Mapping[str, Any]]) -> str:
    # The strongest few: which kind of link, and its value.
    strongest = sorted(evidence, key=lambda one: -one["weight"])[:3]
    return ", ".join(f"{one['link'].replace('_', ' ')} {one['value']}" for one in strongest)


def _reason(reason: Mapping[str, Any]) -> tuple[str, float, float, str]:
    return reason["feature"], reason["observed"], reason["expected"], f"{reason['share']:.0%}"


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise Misuse(f"--{name} {number}: must be 1 or more")


def _moment(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(f"{option} {harmless(text)!r} is not a time: write 2024-12-01 or 2024-12-01T08:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _text(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
