"""A campaign drawn: its members on the left, what they share on the right, a thread for each that a member uses.

Both columns are ordered by the mean place of what they are tied to (Sugiyama, Tagawa and Toda 1981), some rounds of it from
the order of joining, so the picture is the same each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.features.link_kinds import CLASSES
from replay.report.data import Campaign, Member
from replay.report.markup import TOLD, element, shown
from replay.report.plot import WIDE
from replay.report.scale import day_text

#: What a picture has room for.
MOST_MEMBERS, MOST_VALUES = 24, 14
_ROW = 24
_ROUNDS = 8
_OTHER = "other"

Value = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """Members and values in the order in which they are drawn."""

    members: tuple[Member, ...]
    values: tuple[Value, ...]
    values_left_out: int


def lay_out(campaign: Campaign) -> Layout:
    """Choose the values that most members share, and order both sides so that few threads cross."""
    members = tuple(campaign.first[:MOST_MEMBERS])
    users: dict[Value, list[int]] = defaultdict(list)
    for index, member in enumerate(members):
        for link, value, _ in member.evidence:
            users[link, value].append(index)
    ranked = sorted(users, key=lambda value: (-len(users[value]), value))
    values = ranked[:MOST_VALUES]
    order = list(range(len(members)))
    for _ in range(_ROUNDS):
        place = {index: at for at, index in enumerate(order)}
        values.sort(key=lambda value: (_mean([place[index] for index in users[value]]), value))
        row = {value: at for at, value in enumerate(values)}
        ties = [[row[link, value] for link, value, _ in member.evidence if (link, value) in row] for member in members]
        order.sort(key=lambda index: (_mean(ties[index]), index))
    return Layout(tuple(members[index] for index in order), tuple(values), len(ranked) - len(values))


def campaign_graph(campaign: Campaign) -> Markup:
    """The picture of a campaign's first members and what links them."""
    layout = lay_out(campaign)
    height = max(len(layout.members), len(layout.values), 1) * _ROW
    left, right = _rows(len(layout.members), height), _rows(len(layout.values), height)
    place = dict(zip(layout.values, right, strict=True))
    threads = [
        element(
            "path",
            d=f"M0,{y:g}C500,{y:g} 500,{place[link, value]:g} 1000,{place[link, value]:g}",
            class_=f"thread {CLASSES.get(link, _OTHER)}",
            stroke_width=round(0.8 + min(max(weight, 0.0), 6.0) / 3, 2),
        )
        for member, y in zip(layout.members, left, strict=True)
        for link, value, weight in member.evidence
        if (link, value) in place
    ]
    nodes = [element("circle", cx="0", cy=y, r=4, class_="node") for y in left]
    nodes += [
        element("circle", cx="100%", cy=y, r=4, class_=f"node {CLASSES.get(link, _OTHER)}")
        for (link, _), y in place.items()
    ]
    inner = element(
        "svg",
        *threads,
        width="100%",
        height=height,
        viewBox=f"0 0 {WIDE} {height}",
        preserveAspectRatio="none",
        class_="stretched",
    )
    label = f"{len(layout.members)} members and {len(layout.values)} values that they share"
    style = f"height: {height}px"
    return element(
        "div",
        element("ul", *map(_member, layout.members), class_="members", style=style, aria_label="Members"),
        element("svg", inner, *nodes, height=height, role="img", aria_label=label),
        element("ul", *map(_value, layout.values), class_="values", style=style, aria_label="What they share"),
        class_="graph",
    )


def _member(member: Member) -> Markup:
    told = f"{shown(member.account_id, TOLD)}, joined {day_text(member.joined_at)}"
    return element("li", element("bdi", shown(member.account_id, 20), class_="id", title=told))


def _value(value: Value) -> Markup:
    link, text = value
    kind = element("span", link.replace("_", " "), class_="kind")
    return element("li", element("bdi", shown(text, 18), class_="id", title=shown(text, TOLD)), " ", kind)


def kinds_of_evidence(campaign: Campaign) -> list[tuple[str, str, int, int]]:
    """Kind of link, its class, how many values of it, and how many of the members that are read share them."""
    values: dict[str, set[str]] = defaultdict(set)
    members: dict[str, set[str]] = defaultdict(set)
    for member in campaign.first:
        for link, value, _ in member.evidence:
            values[link].add(value)
            members[link].add(member.account_id)
    return [
        (link.replace("_", " "), CLASSES.get(link, _OTHER), len(values[link]), len(members[link]))
        for link in sorted(values, key=lambda link: (-len(members[link]), link))
    ]


def _rows(count: int, height: int) -> list[float]:
    return [round((at + 0.5) * height / count, 1) for at in range(count)]


def _mean(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else float("inf")
