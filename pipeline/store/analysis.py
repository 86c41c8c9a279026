"""What an analyst asks first: who is at risk, why, since when, how much, together with whom."""

from __future__ import annotations

from typing import Any

from pipeline.store.client import Store
from pipeline.store.queries import query

Record = dict[str, Any]


def top_accounts(store: Store, run_id: str, *, days: int = 7, limit: int = 20) -> list[Record]:
    """Accounts by risk over the run's latest `days`, those with incidents first."""
    return store.query_records(query("top"), {"run_id": run_id, "days": days, "limit": limit})


def incidents(store: Store, run_id: str, *, status: str = "", entity: str = "", limit: int = 50) -> list[Record]:
    """The newest version of each incident, the latest detected first; `status` and `entity` narrow it down."""
    return store.query_records(
        query("incidents"), {"run_id": run_id, "status": status, "entity": entity, "limit": limit}
    )


def suppressed_incidents(store: Store, run_id: str, *, entity: str = "", limit: int = 50) -> list[Record]:
    """What would have been incidents but for a suppression, the latest first."""
    return store.query_records(query("suppressed_incidents"), {"run_id": run_id, "entity": entity, "limit": limit})


def campaigns(store: Store, run_id: str, *, limit: int = 50) -> list[Record]:
    """The newest version of each campaign with its first members, the latest detected first."""
    return store.query_records(query("campaigns"), {"run_id": run_id, "limit": limit})


def explain_account(store: Store, run_id: str, account: str, *, windows: int = 5, company: int = 50) -> Record | None:
    """Everything the run says of an account, or None when it has not seen it."""
    parameters = {"run_id": run_id, "account": account}
    activity = store.query_records(query("explain_activity"), parameters)
    raised = incidents(store, run_id, entity=account)
    if not activity and not raised:
        return None
    opened = [incident["opened_at"] for incident in raised]
    return {
        "account_id": account,
        "run_id": run_id,
        "first_day": activity[0]["day"] if activity else None,
        "last_day": activity[-1]["day"] if activity else None,
        "calls": sum(day["calls"] for day in activity),
        "output_tokens": sum(day["output_tokens"] for day in activity),
        "peak_score": max((day["peak_score"] for day in activity), default=None),
        "since": min(opened, default=None),
        "extracted_output_tokens": sum(incident["output_tokens"] for incident in raised),
        "incidents": raised,
        "suppressed": suppressed_incidents(store, run_id, entity=account),
        "windows": store.query_records(query("explain_windows"), {**parameters, "limit": windows}),
        "together_with": store.query_records(query("explain_company"), {**parameters, "limit": company}),
        "labels": store.query_records(query("explain_labels"), {"account": account}),
        "days": activity,
    }


def account_span(store: Store, account: str) -> tuple[int, int] | None:
    """Epoch milliseconds of an account's first and last known call, or None when it is unknown."""
    first_ms, last_ms, found = store.query_rows(query("account_span"), {"account": account})[0]
    return (first_ms, last_ms) if found else None
