"""Campaigns: the list, and one with its members and what links them."""

from __future__ import annotations

from aiohttp import web

from pipeline.console.context import CONTEXT
from pipeline.console.requests import Asked, Id, Limit, answer, asked
from pipeline.console.words import with_words
from pipeline.store import analysis

#: Members that are told of one campaign.
MOST_MEMBERS = 500


class Listing(Asked, frozen=True):
    """Which campaigns."""

    limit: Limit = 100


class One(Asked, frozen=True):
    """Which campaign."""

    id: Id


async def campaigns(request: web.Request) -> web.Response:
    """The newest version of each campaign, the latest detected first."""
    question = asked(request, Listing)
    found = await request.app[CONTEXT].access.read(
        lambda store: analysis.campaigns(store, question.run, limit=question.limit)
    )
    return answer({"campaigns": found})


async def campaign(request: web.Request) -> web.Response:
    """A campaign with its members, their links, and its incidents."""
    question, access = asked(request, One), request.app[CONTEXT].access
    parameters = {"run_id": question.run, "campaign": question.id}
    found = await access.records("campaign", **parameters)
    if not found:
        raise web.HTTPNotFound(reason="there is no such campaign in this run")
    members = await access.records("campaign_members", limit=MOST_MEMBERS, **parameters)
    incidents = await access.records(
        "incidents",
        run_id=question.run,
        incident="",
        entities=[question.id],
        status="",
        severity="",
        triage="",
        limit=50,
    )
    return answer({**found[0], "accounts": members, "incidents": [with_words(one) for one in incidents]})
