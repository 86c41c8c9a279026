"""Which window and which accounts: those of an incident or a campaign, and what of them the store still has."""

from __future__ import annotations

from pathlib import Path

from pipeline.store.client import Store
from pipeline.store.records import LIVE
from replay.errors import ReplayError
from replay.queries import query
from replay.window import Window, span, utc

#: A window may begin so much before the first event: hardly anybody calls on the minute.
_SLACK_MS = 3_600_000


def window_of_incident(store: Store, incident_id: str, margin_ms: int) -> Window:
    """From the incident's first evidence to its latest, with a margin on both sides. Raises `ReplayError` when there is none."""
    found = store.query_rows(query("incident_span"), {"incident_id": incident_id})
    if not found:
        raise ReplayError(f"there is no incident {incident_id} in the store; `stillwatch incidents` lists them")
    begin, end = map(int, found[0])
    return Window(begin - margin_ms, end + margin_ms)


def accounts_of(text: str) -> list[str]:
    """Accounts separated by commas, or @FILE with one on each line. Raises `ReplayError`."""
    if not text.startswith("@"):
        names = text.split(",")
    else:
        try:
            names = Path(text[1:]).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ReplayError(f"--accounts {text}: the file cannot be read: {error}") from error
    found = sorted({name.strip() for name in names} - {""})
    if not found:
        raise ReplayError(f"--accounts {text}: names no account; write a,b or @FILE with one on each line")
    return found


def accounts_of_campaign(store: Store, campaign_id: str) -> list[str]:
    """The members of a campaign. Raises `ReplayError` when there are none."""
    found = store.query_rows(query("campaign_accounts"), {"campaign_id": campaign_id, "first": LIVE})
    if not found:
        raise ReplayError(f"there is no campaign {campaign_id} in the store; `stillwatch campaigns` lists them")
    return [str(account) for (account,) in found]


def check_kept(store: Store, read: Window, *, partial: bool) -> None:
    """Raise `ReplayError` when `api_calls` does not reach back to where reading begins, unless a part will do."""
    if read.from_ms is None or partial:
        return
    first, last = map(int, store.query_rows(query("events_kept"))[0])
    if first > last or first <= read.from_ms + _SLACK_MS or (read.to_ms is not None and read.to_ms <= first):
        # Without any event in it the replay itself says so.
        return
    raise ReplayError(
        f"api_calls keeps events from {utc(first)} to {utc(last)}, and {span(read)} begins before: "
        f"begin at {utc(first)}, or give --allow-partial to go on with what is there"
    )
