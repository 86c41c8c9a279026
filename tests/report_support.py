"""A small run with accounts of any name, as the engine would have written it, and labels of them."""

import numpy as np
from numpy.typing import NDArray

from pipeline.campaigns.campaign import Campaign, Evidence, Member
from pipeline.engine.verdicts import AccountWindows, CallScores, HourEvidence
from pipeline.incidents.incident import Incident, Reason
from pipeline.store.client import Store
from pipeline.store.records import Label, ReplayRun, save_run
from pipeline.store.rows import (
    WINDOW_COUNTS,
    account_windows_table,
    call_scores_table,
    campaign_members_table,
    campaigns_table,
    incidents_table,
)

START = 1_733_011_200_000  # 2024-12-01
HOUR, DAY = 3_600_000, 86_400_000
DAYS = 10
#: Names as nobody sends them who means well.
HOSTILE = (
    "<script>window.hit = 1</script>",
    "\"'><img src=x onerror='window.hit = 1'>",
    "x" * 10_000,
    "\u202etnuocca\u202c",
    "حساب العميل",
    "a\nb\x00c\x1b[2J",
    "{{ 7 * 7 }}{% raw %}",
    "</style><style>*{display:none}",
)


def write_run(
    store: Store, run_id: str, alerted: tuple[str, ...] = ("mallory",), members: tuple[str, ...] = (), days: int = DAYS
) -> None:
    """Each of `alerted` draws ten times as much from the sixth day on and has an incident; `members` are a campaign."""
    accounts = [*alerted, *members, "calm", "quiet"]
    for window_s, a_day in ((60, 24), (3600, 24), (86_400, 1)):
        store.insert_arrow(
            "account_windows", account_windows_table(_windows(accounts, alerted, window_s, a_day, days), run_id=run_id)
        )
    store.insert_arrow("call_scores", call_scores_table(_scores(accounts), run_id=run_id))
    store.insert_arrow("incidents", incidents_table([_incident(name, members) for name in alerted], run_id=run_id))
    if members:
        shared = (Evidence("payment", HOSTILE[1], 4.0), Evidence("address_prefix", "198.18.4.0/24", 2.0))
        campaign = Campaign(
            campaign_id="pool-1", version=1, opened_at=START + 5 * DAY, detected_at=START + 5 * DAY + 2 * HOUR,
            last_seen_at=START + 8 * DAY, members=len(members), output_tokens=12_345, score=0.99, evidence=shared, status="open",
        )  # fmt: skip
        joined = [
            Member(campaign_id="pool-1", account_id=name, joined_at=START + 5 * DAY + 2 * HOUR, evidence=shared)
            for name in members
        ]
        store.insert_arrow("campaigns", campaigns_table([campaign], run_id=run_id))
        store.insert_arrow("campaign_members", campaign_members_table(joined, run_id=run_id))
        raised = _incident("pool-1", members, "campaign")
        store.insert_arrow("incidents", incidents_table([raised], run_id=run_id))
    if run_id != "live":
        save_run(
            store,
            ReplayRun(
                run_id=run_id, created_at=START, source="files", from_ms=None, to_ms=None, config='{"a":{"b":1}}',
                code_version="0.1.0", status="done",
            ),
        )  # fmt: skip


def label(account: str, kind: str = "heavy", start: int = START + 5 * DAY, end: int = START + 8 * DAY) -> Label:
    return Label(account_id=account, start=start, end=end, kind=kind)


def _windows(accounts: list[str], alerted: tuple[str, ...], window_s: int, a_day: int, days: int) -> AccountWindows:
    each = days * a_day
    start = np.tile(START + np.arange(each, dtype=np.int64) * (DAY // a_day), len(accounts))
    loud = np.repeat([name in alerted for name in accounts], each) & (start >= START + 5 * DAY)
    counts = {name: np.full(start.size, 7, np.int64) for name in WINDOW_COUNTS}
    counts["output_tokens"] = np.where(loud, 10_000, 1_000).astype(np.int64)
    return AccountWindows(
        account_id=[name for name in accounts for _ in range(each)],
        window_s=np.full(start.size, window_s, np.int64),
        window_start=start,
        score=np.where(loud, 0.999, 0.4),
        reasons=[()] * start.size,
        hours=_evidence(start, loud) if window_s == 3600 else None,
        **counts,
    )


def _evidence(start: NDArray[np.int64], loud: NDArray[np.bool_]) -> HourEvidence:
    return HourEvidence(
        partition=0,
        row=np.arange(start.size),
        evidence=np.where(loud, 6.0, 0.25).astype(np.float32),
        reasons=[()] * start.size,
        account_calls=np.full(start.size, 100),
        closed_by=start + HOUR,
        place=np.arange(start.size),
    )


def _scores(accounts: list[str]) -> CallScores:
    each = 100
    return CallScores(
        account_id=[name for name in accounts for _ in range(each)],
        ts=np.tile(START + np.arange(each, dtype=np.int64) * HOUR, len(accounts)),
        event_id=[f"{index}-{number}" for index in range(len(accounts)) for number in range(each)],
        score=np.tile((np.arange(each) + 0.5) / each, len(accounts)),
        late=np.zeros(each * len(accounts), np.bool_),
        reasons=[()] * (each * len(accounts)),
    )


def _incident(name: str, members: tuple[str, ...], entity_type: str = "account") -> Incident:
    return Incident(
        incident_id=f"incident-{name}", version=1, kind="volume", entity_type=entity_type, entity_id=name,
        opened_at=START + 5 * DAY, detected_at=START + 5 * DAY + 2 * HOUR, last_seen_at=START + 8 * DAY, closed_at=None,
        severity="high", peak_score=0.9999, reasons=(Reason("output_tokens_a_day", 240_000.0, 24_000.0, 0.8),), status="open",
        output_tokens=720_000, summary=f"{name} drew 720,000 output tokens: {len(members)} beside it.",
    )  # fmt: skip
