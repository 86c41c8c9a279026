"""The states of the stages as data, and back: MessagePack, models as River's own, nothing that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from pipeline.campaigns.campaign import Campaign, Member
from pipeline.campaigns.candidates import Activity, Link, link_of
from pipeline.campaigns.graph import Account
from pipeline.campaigns.hours import HourGate, Passed
from pipeline.campaigns.links import LinkedHour, LinkStage, SharedLink
from pipeline.campaigns.stage import CampaignStage
from pipeline.campaigns.tracked import Tracked
from pipeline.campaigns.wire import WireError, decode_record, encode_record
from pipeline.features.signals import HourOfSignals, Signals, whole
from pipeline.incidents.incident import Incident, Reason
from pipeline.state import Saved, StateError

T = TypeVar("T")
P = TypeVar("P")
_MASK = 0xFFFF_FFFF_FFFF_FFFF

# MessagePack has no numbers of more than 64 bits.
_Link = tuple[int, int]


class _Gate(msgspec.Struct, Generic[T], array_like=True):
    idle: list[int]
    next_hour: int
    late: int
    passed: list[tuple[int, list[Passed]]]
    waiting: list[tuple[int, list[T]]]


class _Links(msgspec.Struct, array_like=True):
    gate: _Gate[int]
    """What waits of an hour, by its place in `signals`: signals tell of many hours, and are saved once."""
    signals: list[bytes]
    forgot_at: int
    shared: list[tuple[_Link, SharedLink]]


class _Tracked(msgspec.Struct, array_like=True):
    campaign: Campaign
    nats: float
    members: list[Member]
    reasons: tuple[Reason, ...]
    marks: list[tuple[_Link, int]]
    last_hour: int
    told_hour: int
    incident: Incident | None
    marked: list[str] = []


class _Campaigns(msgspec.Struct, array_like=True):
    gate: _Gate[LinkedHour]
    first_hour: int
    forgot: int
    active: int
    pairs: dict[int, int]
    accounts: list[tuple[Activity, list[tuple[_Link, int]], list[Activity]]]
    tracked: list[_Tracked]


_encoder = msgspec.msgpack.Encoder()


def save_links(stage: LinkStage) -> Saved:
    """All that a second stage remembers."""
    shared = [(_split(link), one) for link, one in stage.shared.items()]
    # By the object: what waits is kept alive by the gate.
    hours: dict[int, list[HourOfSignals]] = {}
    for _, items in sorted(stage.gate.waiting.items()):
        for part in items:
            hours.setdefault(id(part.signals), []).append(part)
    place = {key: index for index, key in enumerate(hours)}
    signals = [encode_record(whole(parts)) for parts in hours.values()]
    gate = _gate(stage.gate, lambda one: place[id(one.signals)])
    plain = _Links(gate, signals, stage.forgot_at, shared)
    return Saved(shared={"links": _bytes(plain), "sightings": stage.sightings.save()})


def load_links(stage: LinkStage, saved: Saved) -> None:
    """Put back what `save_links` gave. Raises `StateError`."""
    plain = _decoded(saved, "links", _Links)
    told = [_signals(data) for data in plain.signals]
    try:
        _open_gate(stage.gate, plain.gate, lambda hour, place: told[place][hour])
    except LookupError as error:
        raise StateError("a state of link values lacks the signals of an hour") from error
    stage.forgot_at = plain.forgot_at
    stage.shared = {link_of(*link): one for link, one in plain.shared}
    stage.sightings.load(saved.shared["sightings"])  # type: ignore[arg-type]


def save_campaigns(stage: CampaignStage) -> Saved:
    """All that the third stage remembers."""
    graph = stage.graph
    plain = _Campaigns(
        _gate(stage.gate, lambda one: one),
        stage.first_hour,
        stage.forgot,
        graph.active,
        graph.pairs,
        [(one.latest, _pairs(one.links), list(one.past.values())) for one in graph.accounts.values()],
        [
            _Tracked(
                one.campaign,
                one.nats,
                list(one.members.values()),
                one.reasons,
                _pairs(one.marks),
                one.last_hour,
                one.told_hour,
                one.incident,
                sorted(one.marked),
            )
            for one in stage.tracked.values()
        ],
    )
    return Saved(shared={"campaigns": _bytes(plain), **stage.models.save().shared})


def load_campaigns(stage: CampaignStage, saved: Saved) -> None:
    """Put back what `save_campaigns` gave. Raises `StateError`."""
    plain = _decoded(saved, "campaigns", _Campaigns)
    _open_gate(stage.gate, plain.gate, lambda _, one: one)
    stage.first_hour, stage.forgot = plain.first_hour, plain.forgot
    graph = stage.graph
    graph.active, graph.pairs = plain.active, plain.pairs
    for latest, links, past in plain.accounts:
        account = Account(latest, _joined(links), {one.hour: one for one in past})
        graph.accounts[latest.account_id] = account
        for link, hour in account.links.items():
            graph.users.setdefault(link, {})[latest.account_id] = hour
    for one in plain.tracked:
        members = {member.account_id: member for member in one.members}
        stage.tracked[one.campaign.campaign_id] = Tracked(
            one.campaign,
            one.nats,
            members,
            one.reasons,
            _joined(one.marks),
            one.last_hour,
            one.told_hour,
            one.incident,
            set(one.marked),
        )
        stage.campaign_of.update(dict.fromkeys(members, one.campaign.campaign_id))
    stage.models.load(saved)


def _gate(gate: HourGate[T], plain: Callable[[T], P]) -> _Gate[P]:
    waiting = [(hour, [plain(one) for one in items]) for hour, items in sorted(gate.waiting.items())]
    passed = sorted(gate.known.items())
    return _Gate(sorted(gate.idle), gate.next_hour, gate.late, passed, waiting)


def _open_gate(gate: HourGate[T], plain: _Gate[P], item: Callable[[int, P], T]) -> None:
    gate.idle = set(plain.idle)
    gate.next_hour, gate.late = plain.next_hour, plain.late
    gate.known = dict(plain.passed)
    gate.waiting = {hour: [item(hour, one) for one in items] for hour, items in plain.waiting}


def _signals(data: bytes) -> dict[int, HourOfSignals]:
    try:
        record = decode_record(data)
    except WireError as error:
        raise StateError(f"the state of link values cannot be read: {error}") from error
    return dict(record.by_hour()) if isinstance(record, Signals) else {}


def _split(link: Link) -> _Link:
    return link >> 64, link & _MASK


def _pairs(links: dict[Link, int]) -> list[tuple[_Link, int]]:
    return [(_split(link), hour) for link, hour in links.items()]


def _joined(pairs: Sequence[tuple[_Link, int]]) -> dict[Link, int]:
    return {link_of(*link): hour for link, hour in pairs}


def _bytes(plain: msgspec.Struct) -> Any:
    return np.frombuffer(_encoder.encode(plain), np.uint8)


def _decoded(saved: Saved, name: str, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(saved.shared[name].tobytes(), type=kind)
    except (KeyError, msgspec.MsgspecError) as error:
        raise StateError(f"the state of {name} cannot be read: {error}") from error
