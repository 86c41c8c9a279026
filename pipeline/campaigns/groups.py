"""Groups around a link: accounts that share it, and more that has another cause.

That accounts share one rare thing has innocent reasons: they use one program, live in one network, answer one customer. That
many of those who share it *also* share rare things of other classes, several times over and across organisations, has few. Each
such second link is a coincidence worth its rarity, and all of a class together are worth no more than the surprise of seeing so
many where chance would bring `E`: the Poisson deviance ``k ln(k/E) - k + E`` nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.campaigns.candidates import Link, class_of, kind_name
from pipeline.campaigns.graph import LinkGraph
from pipeline.settings import CampaignSettings

#: Fewer links than this are never expected: shops that employ one developer and such, of which counts know nothing.
_LEAST_EXPECTED = 0.2


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts around an anchor, what it and the other links between them weigh in nats, and the accounts they link."""

    anchor: Link
    weights: dict[Link, float]
    members: frozenset[str]
    classes: dict[str, tuple[int, float, float]]
    """Of each class: links counted, links expected by chance, and their weight."""

    @property
    def evidence(self) -> float:
        """All of the evidence together, in nats."""
        return sum(self.weights.values())


def group_around(graph: LinkGraph, anchor: Link, settings: CampaignSettings) -> Group | None:
    """The group around `anchor`; None when those who use it share nothing else, or belong to too few customers."""
    users = graph.users.get(anchor, {})
    if len(users) < settings.minimum_members or class_of(anchor) == "timing":
        return None
    shared: dict[Link, list[str]] = {}
    for name in sorted(users):
        for link in graph.accounts[name].links:
            if independent(anchor, link):
                shared.setdefault(link, []).append(name)
    of_class: dict[str, list[Link]] = {}
    for link in sorted(shared):
        if spans(graph, link, shared[link]):
            of_class.setdefault(class_of(link), []).append(link)
    weights = {anchor: graph.rarity(anchor)}
    classes = {class_of(anchor): (1, 0.0, weights[anchor])}
    for kind_class, links in of_class.items():
        expected = max(_LEAST_EXPECTED, graph.chance(kind_class, len(users)))
        found = _weigh(graph, kind_class, links, expected)
        if found:
            weights.update(found)
            classes[kind_class] = (len(found), expected, sum(found.values()))
    members = frozenset(name for link in weights if link != anchor for name in shared[link])
    latest = [graph.accounts[name].latest for name in members]
    customers, organisations = {one.customer for one in latest}, {one.organisation for one in latest}
    fewest = min(3, settings.minimum_members)
    if len(members) < settings.minimum_members or len(customers) < fewest or len(organisations) < fewest:
        return None
    return Group(anchor, weights, members, classes)


def independent(one: Link, other: Link) -> bool:
    """Whether two links can hardly have one innocent cause: they are of two classes, and not a program and what it sends."""
    first, second = class_of(one), class_of(other)
    programs = "network_program" in (kind_name(one), kind_name(other))
    return first != second and not (programs and "content" in (first, second))


def spans(graph: LinkGraph, link: Link, names: list[str]) -> bool:
    """Whether accounts that share a link do so across those within which sharing is what is to be expected."""
    # Of an organisation, or of a customer, it is; of two organisations that pay with one card it is not.
    latest = [graph.accounts[name].latest for name in names]
    if len({one.organisation for one in latest}) < 2:
        return False
    return class_of(link) == "billing" or len({one.customer for one in latest}) > 1


def _weigh(graph: LinkGraph, kind_class: str, links: list[Link], expected: float) -> dict[Link, float]:
    # Content comes in many bands of one prompt: it counts once, by the rarest.
    if kind_class == "content":
        rarest = max(links, key=lambda link: (graph.rarity(link), link))
        links = [rarest]
    count = len(links)
    if count <= expected:
        return {}
    surprise = count * math.log(count / expected) - count + expected
    total = sum(graph.rarity(link) for link in links)
    factor = min(1.0, surprise / total) if total else 0.0
    return {link: factor * graph.rarity(link) for link in links}
