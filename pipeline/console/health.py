"""The stream's health as the page shows it."""

from __future__ import annotations

import time
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from pipeline.console.context import CONTEXT
from pipeline.console.requests import Asked, answer, asked
from pipeline.store.queries import query as store_query


class Asking(Asked, frozen=True):
    """How far back."""

    hours: Annotated[int, Meta(ge=1, le=160)] = 24


async def health(request: web.Request) -> web.Response:
    """What the worker says now and has said, and what the tables tell: rates, rejects, states, gaps."""
    question, context = asked(request, Asking), request.app[CONTEXT]
    access, stream = context.access, context.stream
    rate = await access.records("health_rate", hours=question.hours, limit=10_000)
    names = ("t", "calls", "errors", "output_tokens")
    gaps = await access.read(
        lambda store: store.query_records(
            store_query("continuity_gaps"),
            {"run_id": question.run, "group": context.settings.stream.group, "recent_s": 86_400},
        )
    )
    history_names = ("t", "lag", "accepted", "rejected", "checkpoint_age_s", "rows_waiting", "accounts")
    return answer(
        {
            "now": int(time.time() * 1000),
            "worker": {"url": stream.worker, "problem": stream.problem, "report": stream.report},
            "history": {name: [one.get(name) for one in stream.history] for name in history_names},
            "rate": {name: [record[name] for record in rate] for name in names},
            "rejects": await access.records("health_rejects", days=7),
            "states": await access.records("health_states", run_id=question.run),
            "received": (await access.records("health_received"))[0],
            "gaps": gaps[0],
        }
    )
