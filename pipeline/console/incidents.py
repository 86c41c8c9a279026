"""Incidents, and what people say of them: acknowledged, an account's label, a suppression that ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import pyarrow as pa
from aiohttp import web
from msgspec import Meta

from pipeline.console.context import CONTEXT
from pipeline.console.requests import Asked, Id, Limit, Moment, Note, RunId, answer, asked, sent
from pipeline.console.words import with_words
from pipeline.incidents.feedback import allow_list
from pipeline.incidents.story import KINDS
from pipeline.incidents.suppression import Suppression, of_settings
from pipeline.store.analysis import account_span
from pipeline.store.client import Store
from pipeline.store.records import Label, write_labels
from pipeline.store.rows import TIME, Column
from pipeline.store.suppressions import evidence_shown, lift, read_suppressions, read_verdicts, write_suppressions

_HOUR_MS = 3_600_000
#: The longest that a suppression may last when it is made here.
_LONGEST_SUPPRESSION_MS = 400 * 24 * _HOUR_MS


class Listing(Asked, frozen=True):
    """Which incidents."""

    status: Literal["", "open", "closed"] = ""
    severity: Literal["", "low", "medium", "high", "critical"] = ""
    triage: Literal["", "waiting", "done"] = ""
    incident: Annotated[str, Meta(max_length=256)] = ""
    limit: Limit = 200


class Triage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of an incident."""

    run: RunId
    incident: Annotated[str, Meta(min_length=1, max_length=256)]
    state: Literal["acknowledged", "new"]
    note: Note = ""


class Verdict(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_ms": "from", "to_ms": "to"}
):
    """An analyst's verdict on an account; its time is that of the account's calls unless given."""

    account: Annotated[str, Meta(min_length=1, max_length=256)]
    kind: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    note: Note = ""
    from_ms: Moment | None = None
    to_ms: Moment | None = None


class Suppress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_ms": "from"}):
    """Let an account, or accounts of a pattern, open no incident for a time."""

    account: Annotated[str, Meta(min_length=1, max_length=1024)]
    until: Moment
    from_ms: Moment | None = None
    kinds: tuple[str, ...] = ()
    above: Annotated[float, Meta(gt=0, le=1000)] = 7.0
    note: Note = ""


class Lift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End suppressions of a pattern."""

    account: Id
    kinds: tuple[str, ...] = ()


async def incidents(request: web.Request) -> web.Response:
    """Incidents, those that wait for somebody first."""
    question = asked(request, Listing)
    found = await request.app[CONTEXT].access.records(
        "incidents",
        run_id=question.run,
        incident=question.incident,
        entities=[],
        status=question.status,
        severity=question.severity,
        triage=question.triage,
        limit=question.limit,
    )
    return answer({"incidents": [with_words(one) for one in found]})


async def triage(request: web.Request) -> web.Response:
    """Acknowledge an incident, or put it back among those that wait."""
    said = await sent(request, Triage)
    access = request.app[CONTEXT].access
    found = await access.records(
        "incidents", run_id=said.run, incident=said.incident, entities=[], status="", severity="", triage="", limit=1
    )
    if not found:
        raise web.HTTPNotFound(reason="there is no such incident in this run")
    await access.write(lambda store: _write_triage(store, said))
    return answer({"done": f"{'acknowledged' if said.state == 'acknowledged' else 'waiting again'}"})


def _write_triage(store: Store, said: Triage) -> None:
    texts = {"run_id": said.run, "incident_id": said.incident, "state": said.state, "note": said.note}
    columns: dict[str, Column] = {name: pa.array([value], pa.string()) for name, value in texts.items()}
    columns["recorded_at"] = pa.array([datetime.now(UTC)], TIME)
    store.insert_arrow("incident_triage", pa.table(columns))


async def label(request: web.Request) -> web.Response:
    """Record an analyst's verdict on an account, as `stillwatch label` does."""
    said = await sent(request, Verdict)
    await request.app[CONTEXT].access.write(lambda store: _write_label(store, said))
    return answer({"done": f"labelled {said.kind}"})


def _write_label(store: Store, said: Verdict) -> None:
    start, end = said.from_ms, said.to_ms
    if start is None or end is None:
        span = account_span(store, said.account)
        if span is None:
            raise web.HTTPNotFound(reason="no call of this account is known: give the label's time")
        start, end = span[0] if start is None else start, span[1] if end is None else end
    if start > end:
        raise web.HTTPBadRequest(reason="the label's beginning is after its end")
    shown = evidence_shown(store, said.account, start, end)
    write_labels(
        store,
        [Label(account_id=said.account, start=start, end=end, kind=said.kind, note=said.note, evidence=shown)],
    )


async def suppressions(request: web.Request) -> web.Response:
    """All that settings, people and verdicts keep from opening incidents."""
    asked(request, Asked)
    context = request.app[CONTEXT]
    settings = context.settings.engine.incident

    def read(store: Store) -> list[tuple[str, Suppression]]:
        return [
            *(("settings", one) for one in of_settings(settings.suppressions)),
            *(("suppress", one) for one in read_suppressions(store)[:500]),
            *(("label", one) for one in allow_list(read_verdicts(store), settings)[:500]),
        ]

    found = await context.access.read(read)
    return answer({"suppressions": [{**msgspec.structs.asdict(one), "by": origin} for origin, one in found]})


async def suppress(request: web.Request) -> web.Response:
    """Let an account open no incident until a time, as `stillwatch suppress` does."""
    said = await sent(request, Suppress)
    unknown = [kind for kind in said.kinds if kind not in KINDS]
    if unknown:
        raise web.HTTPBadRequest(reason=f"kinds are some of {', '.join(KINDS)}")
    # An hour that is under way is suppressed whole: it is judged when it has ended, so every replay judges it alike.
    since = _this_hour() if said.from_ms is None else said.from_ms
    if said.until <= since:
        raise web.HTTPBadRequest(reason="the suppression would end before it begins")
    if said.until - since > _LONGEST_SUPPRESSION_MS:
        raise web.HTTPBadRequest(reason="a suppression lasts 400 days at most: choose an earlier end")
    one = Suppression(
        account=said.account,
        since=since,
        until=said.until,
        kinds=tuple(sorted(set(said.kinds))),
        above=said.above,
        note=said.note,
    )
    await request.app[CONTEXT].access.write(lambda store: write_suppressions(store, [one]))
    return answer({"done": "suppressed"})


async def lift_suppression(request: web.Request) -> web.Response:
    """End what is suppressed with a pattern from this hour on, or from its beginning where that is later."""
    said = await sent(request, Lift)
    lifted = await request.app[CONTEXT].access.write(lambda store: lift(store, said.account, said.kinds, _this_hour()))
    if not lifted:
        raise web.HTTPNotFound(reason="nothing is suppressed with this pattern any more")
    return answer({"done": "lifted"})


def _this_hour() -> int:
    now = time.time_ns() // 1_000_000
    return now - now % _HOUR_MS
