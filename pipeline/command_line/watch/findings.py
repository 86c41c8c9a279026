"""Who is at risk and what was raised: from the store where it can be read, else from the topic of incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.client import Store

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to show, and where it comes from in words."""

    source: str
    accounts: Sequence[Record] = ()
    incidents: Sequence[Record] = ()
    """The latest detected first."""
    trouble: str = ""
    """Why the store could not be read; empty where it could."""


def read_findings(open_store: Callable[[], Store], settings: Settings, run_id: str, *, limit: int) -> Findings:
    """The store's accounts and incidents; where it cannot be read, the incidents of the topic.

    The store is let go again: an embedded one belongs to the worker.
    """
    from pipeline.store.analysis import incidents, top_accounts
    from pipeline.store.errors import StoreError

    try:
        with open_store() as store:
            return Findings(
                f"store {store.address}",
                top_accounts(store, run_id, days=7, limit=limit),
                incidents(store, run_id, limit=limit),
            )
    except StoreError as error:
        found, source = _from_topic(settings, limit)
        return Findings(source, (), found, str(error))


def newest_incidents(messages: Iterable[bytes], limit: int) -> list[Record]:
    """The newest version of each incident among messages of the topic, the latest detected first."""
    import msgspec

    newest: dict[str, Record] = {}
    for message in messages:
        try:
            record = msgspec.json.decode(message, type=dict[str, Any])
            known = newest.get(record["incident_id"])
            if known is None or record["version"] >= known["version"]:
                newest[record["incident_id"]] = record
        except (msgspec.DecodeError, KeyError, TypeError):
            continue
    ordered = sorted(newest.values(), key=lambda one: one.get("detected_at") or 0, reverse=True)
    return [{**one, "detected_at": _time(one.get("detected_at"))} for one in ordered[:limit]]


def _from_topic(settings: Settings, limit: int) -> tuple[list[Record], str]:
    from pipeline.stream.address import BrokerAddressError, BrokerNotRunningError, bootstrap_servers
    from pipeline.stream.consume import TopicReadError, read_topic

    topic = settings.stream.incidents_topic
    try:
        servers = bootstrap_servers(settings.stream.broker)
        messages = (record.value for record in read_topic(servers, topic) if record.value is not None)
        return newest_incidents(messages, limit), f"topic {topic}"
    except (BrokerAddressError, BrokerNotRunningError, TopicReadError) as error:
        return [], str(error)


def _time(milliseconds: Any) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if isinstance(milliseconds, int) else None
