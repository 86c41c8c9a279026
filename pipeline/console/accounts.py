"""Accounts: who is most at risk, one of them over time, and with whom it shares what few share."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta

from pipeline.console.context import CONTEXT
from pipeline.console.requests import Asked, Id, Limit, Moment, answer, asked
from pipeline.console.words import reasons_in_words, with_words
from pipeline.store import analysis
from pipeline.store.queries import query as store_query

#: Points of a line, at most.
MOST_POINTS = 20_000
_LENGTHS = (60, 600, 3600, 86_400)
_SPARK_STEPS = 84
_LINK_DAYS, _MOST_SHARERS = 30, 50


class Ranking(Asked, frozen=True):
    """Whose risk."""

    days: Annotated[int, Meta(ge=1, le=400)] = 7
    limit: Limit = 50


class OneAccount(Asked, frozen=True):
    """Which account."""

    id: Id


class Series(OneAccount, frozen=True, rename={"from_ms": "from", "to_ms": "to"}):
    """Which account's windows, how long, and when; all that the run has seen by default."""

    window: Literal[60, 600, 3600, 86_400] = 3600
    from_ms: Moment | None = None
    to_ms: Moment | None = None


class Search(Asked, frozen=True):
    """What is looked for."""

    text: Annotated[str, Meta(min_length=1, max_length=256)]
    limit: Limit = 12


async def ranking(request: web.Request) -> web.Response:
    """Accounts by risk, each with the output tokens of the days in small steps."""
    question, access = asked(request, Ranking), request.app[CONTEXT].access
    found = await access.read(
        lambda store: analysis.top_accounts(store, question.run, days=question.days, limit=question.limit)
    )
    step_h = max(1, math.ceil(question.days * 24 / _SPARK_STEPS))
    steps = math.ceil(question.days * 24 / step_h)
    lines: dict[str, list[int]] = {}
    if found:
        names = [record["account_id"] for record in found]
        for record in await access.records(
            "sparklines", run_id=question.run, days=question.days, step_h=step_h, accounts=names
        ):
            line = lines[record["account_id"]] = [0] * steps
            for step, tokens in zip(record["steps"], record["tokens"], strict=True):
                if 0 <= step < steps:
                    line[step] += tokens
    return answer(
        {
            "accounts": [{**record, "spark": lines.get(record["account_id"], [])} for record in found],
            "step_h": step_h,
        }
    )


async def account(request: web.Request) -> web.Response:
    """What the run says of an account in short: totals, incidents with reasons, labels, campaigns, windows that stand out."""
    question, access = asked(request, OneAccount), request.app[CONTEXT].access
    parameters = {"run_id": question.run, "account": question.id}
    span = (await access.records("account_span", **parameters))[0]
    company = await access.read(
        lambda store: store.query_records(store_query("explain_company"), {**parameters, "limit": 200})
    )
    campaigns = sorted({record["campaign_id"] for record in company})
    incidents = await access.records(
        "incidents",
        run_id=question.run,
        incident="",
        entities=[question.id, *campaigns],
        status="",
        severity="",
        triage="",
        limit=100,
    )
    if not span["found"] and not incidents:
        raise web.HTTPNotFound(reason="there is no such account in this run")
    about = await access.read(
        lambda store: {
            "labels": store.query_records(store_query("explain_labels"), {"account": question.id}),
            "windows": store.query_records(store_query("explain_windows"), {**parameters, "limit": 12}),
            "suppressed": analysis.suppressed_incidents(store, question.run, entity=question.id),
            "days": store.query_records(store_query("explain_activity"), parameters),
        }
    )
    return answer(
        {
            "account_id": question.id,
            "span": span if span["found"] else None,
            "incidents": [with_words(one) for one in incidents],
            "campaigns": campaigns,
            "company": [one for one in company if one["account_id"] != question.id],
            **about,
            "windows": [{**one, "reasons": reasons_in_words(one["reasons"])} for one in about["windows"]],
        }
    )


async def series(request: web.Request) -> web.Response:
    """An account's windows and call scores over time, as columns; longer windows than asked where there would be too many."""
    question, access = asked(request, Series), request.app[CONTEXT].access
    parameters = {"run_id": question.run, "account": question.id}
    from_ms, to_ms = question.from_ms, question.to_ms
    if from_ms is None or to_ms is None:
        span = (await access.records("account_span", **parameters))[0]
        if not span["found"]:
            return answer({"from": 0, "to": 0, "window": question.window, "windows": {}, "scores": {}})
        from_ms = span["from_ms"] if from_ms is None else from_ms
        to_ms = span["to_ms"] if to_ms is None else to_ms
    if to_ms <= from_ms:
        raise web.HTTPBadRequest(reason="the end is not after the beginning")
    window_s = next(
        (
            length
            for length in _LENGTHS
            if length >= question.window and (to_ms - from_ms) / 1000 / length <= MOST_POINTS
        ),
        _LENGTHS[-1],
    )
    within = {**parameters, "from_ms": from_ms, "to_ms": to_ms, "limit": MOST_POINTS}
    windows = await access.records("account_windows", window_s=window_s, **within)
    scores = await access.records("account_scores", step_ms=max(1, math.ceil((to_ms - from_ms) / 15_000)), **within)
    columns = ("t", "calls", "input_tokens", "output_tokens", "errors", "score", "low", "middle", "high")
    return answer(
        {
            "from": from_ms,
            "to": to_ms,
            "window": window_s,
            "windows": _with_usual_carried({name: [record[name] for record in windows] for name in columns}),
            "scores": {name: [record[name] for record in scores] for name in ("t", "score")},
        }
    )


def _with_usual_carried(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    # Within a long incident no ordinary window is left to compare with: then what was usual before it stays.
    for name in ("low", "middle", "high"):
        latest = None
        for index, value in enumerate(columns[name]):
            if value is None or math.isnan(value):
                columns[name][index] = latest
            else:
                latest = value
    return columns


async def links(request: web.Request) -> web.Response:
    """Accounts that use an address, a means of payment, an organisation, a key or a system prompt of its, which few use."""
    question = asked(request, OneAccount)
    found = await request.app[CONTEXT].access.records(
        "account_links", account=question.id, days=_LINK_DAYS, most_sharers=_MOST_SHARERS, limit=25
    )
    return answer({"accounts": [{**one, "links": _named(one["links"])} for one in found], "days": _LINK_DAYS})


def _named(found: list[Any]) -> list[dict[str, Any]]:
    return [{"kind": kind, "value": value, "accounts": accounts} for kind, value, accounts in found]


async def search(request: web.Request) -> web.Response:
    """Accounts, campaigns and incidents whose id contains a text."""
    question = asked(request, Search)
    found = await request.app[CONTEXT].access.records(
        "search", run_id=question.run, text=question.text, limit=question.limit
    )
    return answer({"found": found})


async def runs(request: web.Request) -> web.Response:
    """The runs that can be looked at."""
    found = await request.app[CONTEXT].access.records("runs")
    names = [record["run_id"] for record in found]
    return answer({"runs": names if "live" in names else ["live", *names]})
