"""Reasons and windows as the pages say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.incidents.incident import Reason
from pipeline.incidents.story import number, phrase


def with_words(incident: Mapping[str, Any]) -> dict[str, Any]:
    """An incident whose reasons say in words what was seen against what was expected."""
    return {**incident, "reasons": reasons_in_words(incident["reasons"])}


def reasons_in_words(reasons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Reasons, the weightiest first, each with its words."""
    told = [
        {
            **reason,
            "words": _words(reason),
        }
        for reason in reasons
    ]
    return sorted(told, key=lambda reason: -reason["share"])


def _words(reason: Mapping[str, Any]) -> str:
    feature, observed, expected = reason["feature"], reason["observed"], reason["expected"]
    what = feature.replace("_", " ")
    if feature.startswith("shared_"):
        return f"{what}: {number(observed)} value{'' if observed == 1 else 's'} that few others use, {number(expected)} expected"
    if feature.startswith("group_"):
        return f"{what}: {number(observed)}, in ordinary groups {number(expected)}"
    return phrase(Reason(feature, observed, expected, reason["share"]))
