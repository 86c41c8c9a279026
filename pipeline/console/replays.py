"""Replays, and runs side by side."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from pipeline.console.context import CONTEXT
from pipeline.console.requests import answer, asked

#: Runs that are shown side by side.
MOST_COMPARED = 6


class Compared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs, a JSON list of names."""

    runs: Annotated[str, Meta(max_length=4000)] = "[]"


async def replays(request: web.Request) -> web.Response:
    """All replays, and the figures of those that are compared, with where their settings and their findings differ."""
    question, access = asked(request, Compared), request.app[CONTEXT].access
    names = msgspec.json.decode(question.runs, type=Annotated[list[str], Meta(max_length=MOST_COMPARED)])
    listed = await access.records("replay_runs")
    chosen = [one for one in dict.fromkeys(names) if one]
    by_name = {record["run_id"]: record for record in listed}
    figures = await access.records("replay_figures", runs=chosen) if chosen else []
    differences = await access.records("replay_differences", runs=chosen, limit=200) if len(chosen) > 1 else []
    found = {record["run_id"]: record for record in figures}
    return answer(
        {
            "replays": [
                {name: value for name, value in record.items() if name not in ("metrics", "config")}
                for record in listed
            ],
            "compared": [
                {
                    "run_id": name,
                    **found.get(name, {}),
                    "metrics": flat(_json(by_name.get(name, {}).get("metrics", "{}"))),
                }
                for name in chosen
            ],
            "settings": _settings_that_differ([by_name[name] for name in chosen if name in by_name]),
            "differences": [
                {
                    **one,
                    "found": [
                        {"run": run, "detected_at": at, "severity": severity} for run, at, severity in one["found"]
                    ],
                }
                for one in differences
            ],
        }
    )


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested JSON by their dotted names; a list is one leaf, as JSON.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': '[2]'}
    """
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, inner in value.items():
            found |= flat(inner, f"{prefix}.{name}" if prefix else str(name))
        return found
    if isinstance(value, list):
        return {prefix: msgspec.json.encode(value).decode()}
    return {prefix: value} if prefix else {}


def _settings_that_differ(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_run = {record["run_id"]: flat(_json(record["config"])) for record in records}
    names = sorted({name for values in by_run.values() for name in values})
    rows = [(name, {run: values.get(name) for run, values in by_run.items()}) for name in names]
    return [
        {"name": name, "values": values}
        for name, values in rows
        if len({msgspec.json.encode(value) for value in values.values()}) > 1
    ]


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
