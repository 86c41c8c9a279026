"""Groups around a link: accounts that share it, and more that has another cause.

That accounts share one rare thing has innocent reasons: they use one program, live in one network, answer one customer. That
many of those who share it *also* share rare things of other classes, several times over and across organisations, has few. A
second link that m of them share counts as ``log2(m)`` coincidences, since one cause brings all its users at once, and each is
worth the link's rarity at most. All k of a class together are worth no more than the surprise of seeing so many where chance
would bring E: the Poisson deviance ``k ln(k/E) - k + E`` nats.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from pipeline.campaigns.candidates import Link, class_of
from pipeline.campaigns.graph import LinkGraph
from pipeline.features.link_kinds import CLASS_OF, CLASSES, KINDS
from pipeline.settings import CampaignSettings

#: Fewer coincidences than this are never expected: a developer with two employers and the like, of which counts know nothing.
_LEAST_EXPECTED = 0.1
#: What fewer customers or organisations share may be a matter between them.
_FEWEST_CUSTOMERS = 3
#: Accounts of one region sign up, and change keys, in the same third of the day.
_WORKING_DAY = 3.0


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
    latest = [graph.accounts[name].latest for name in users]
    fewest = min(_FEWEST_CUSTOMERS, settings.minimum_members)
    if len({one.customer for one in latest}) < fewest or len({one.organisation for one in latest}) < fewest:
        return None
    shared: dict[Link, list[str]] = {}
    independent_kinds = _INDEPENDENT[anchor >> 64]
    for name in users:
        for link in graph.accounts[name].links:
            if independent_kinds[link >> 64]:
                shared.setdefault(link, []).append(name)
    of_class: dict[str, list[Link]] = {}
    for link in sorted(link for link, names in shared.items() if len(names) > 1):
        if spans(graph, link, shared[link]):
            of_class.setdefault(class_of(link), []).append(link)
    weights = {anchor: graph.rarity(anchor)}
    classes = {class_of(anchor): (1, 0.0, weights[anchor])}
    for kind_class, links in of_class.items():
        kinds = [kind for kind, name in enumerate(CLASS_OF) if name == kind_class and independent(anchor, kind << 64)]
        expected = graph.chance(kinds, len(users)) * (_WORKING_DAY if kind_class == "timing" else 1.0)
        found = _weigh(graph, links, shared, max(_LEAST_EXPECTED, expected))
        if found:
            weights.update(found)
            classes[kind_class] = (len(found), max(_LEAST_EXPECTED, expected), sum(found.values()))
    # In one network many sign up or change keys in one hour, so that makes nobody a member.
    passing = class_of(anchor) == "network"
    members = frozenset(
        name
        for link in weights
        if link != anchor and not (passing and class_of(link) == "timing")
        for name in shared[link]
    )
    if len(members) < settings.minimum_members or _one_customer(graph, members) or _one_office(weights):
        return None
    return Group(anchor, weights, members, classes)


def independent(one: Link, other: Link) -> bool:
    """Whether two links can hardly have one innocent cause: they are of two classes, and not a program and what it sends."""
    return _INDEPENDENT[one >> 64][other >> 64]


def _are_independent(one: str, other: str) -> bool:
    first, second = CLASSES[one], CLASSES[other]
    return first != second and not ("network_program" in (one, other) and "content" in (first, second))


_INDEPENDENT = [[_are_independent(one, other) for other in KINDS] for one in KINDS]


def spans(graph: LinkGraph, link: Link, names: list[str]) -> bool:
    """Whether accounts that share a link do so across those within which sharing is what is to be expected."""
    # Of an organisation, or of a customer, it is; of two organisations that pay with one card it is not.
    organisations = {graph.accounts[name].latest.organisation for name in names}
    return len(organisations) > 1 and _customers(graph, link, names) > 1


def _one_customer(graph: LinkGraph, members: frozenset[str]) -> bool:
    # A reseller, an agency, a company of several organisations: most of them are paid for by one.
    of = Counter(graph.accounts[name].latest.customer for name in members)
    return 2 * max(of.values()) > len(members)


def _one_office(weights: dict[Link, float]) -> bool:
    # One network and what is sent from it, and nothing else: the branches of a company, each with a bill of its own.
    classes = [class_of(link) for link in weights]
    return set(classes) == {"network", "content"} and classes.count("network") == 1


def _weigh(graph: LinkGraph, links: list[Link], shared: dict[Link, list[str]], expected: float) -> dict[Link, float]:
    if class_of(links[0]) == "content":
        # Content comes in many bands of one prompt: it counts once, by what most share.
        links = [max(links, key=lambda link: (len(shared[link]), link))]
    counts = {link: math.log2(max(2, _customers(graph, link, shared[link]))) for link in links}
    count = sum(counts.values())
    if count <= expected:
        return {}
    surprise = count * math.log(count / expected) - count + expected
    most = {link: counts[link] * graph.rarity(link) for link in links}
    total = sum(most.values())
    factor = min(1.0, surprise / total) if total else 0.0
    return {link: factor * weight for link, weight in most.items()}


def _customers(graph: LinkGraph, link: Link, names: list[str]) -> int:
    latest = [graph.accounts[name].latest for name in names]
    if class_of(link) == "billing":
        return len({one.organisation for one in latest})
    return len({one.customer for one in latest})
