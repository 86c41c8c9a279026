"""What an analyst asks first: `stillwatch top`, `explain`, `incidents` and `campaigns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common, Json
from pipeline.command_line.show import cell, print_json, print_lines, print_table
from pipeline.event.harmless import harmless

RunId: TypeAlias = Annotated[str, Parameter(name="--run-id")]
Limit: TypeAlias = Annotated[int, Parameter(name="--limit")]

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
        open or closed, both by default; or suppressed, for what would have opened.
    limit
        Most incidents shown.
    json
        Print JSON.
    """
    from pipeline.store import analysis

    _require_positive(limit=limit)
    if status not in ("", "open", "closed", "suppressed"):
        raise Misuse(f"--status {status!r} is none of open, closed and suppressed")
    with store_of(common) as store:
        if status == "suppressed":
            found = analysis.suppressed_incidents(store, run_id, limit=limit)
        else:
            found = analysis.incidents(store, run_id, status=status, limit=limit)
    if json:
        print_json(found)
    elif not found:
        print_lines([f"run {run_id}: no {'suppressed ' if status == 'suppressed' else ''}incidents"])
    elif status == "suppressed":
        columns = (
            "entity_id",
            "kind",
            "severity",
            "opened_at",
            "last_seen_at",
            "suppressed_hours",
            "suppressed_by",
            "summary",
        )
        _print_records(f"suppressed incidents, run {run_id}", columns, found)
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
        f"{incident['severity']} suppressed by {incident['suppressed_by']}, {incident['suppressed_hours']} hours since "
        f"{cell(incident['opened_at'])}: {incident['summary']}"
        for incident in found["suppressed"]
    )
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
