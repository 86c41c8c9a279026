"""The topics, in one typed list, and how they come to exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.stream.security import PLAINTEXT, Security

if TYPE_CHECKING:
    from pipeline.settings import StreamSettings

_HOUR_MS = 3_600_000
ADMIN_TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it is to be: `retention_ms` of its records, `cleanup` as Kafka's `cleanup.policy`."""

    name: str
    partitions: int
    replication: int
    retention_ms: int
    cleanup: str
    purpose: str
    configs: dict[str, str] = field(default_factory=dict)

    def all_configs(self) -> dict[str, str]:
        """The topic's configuration as Kafka takes it."""
        return {"retention.ms": str(self.retention_ms), "cleanup.policy": self.cleanup, **self.configs}


def topic_specs(settings: StreamSettings) -> tuple[TopicSpec, ...]:
    """All topics, as the settings want them."""
    retention_ms = settings.retention_hours * _HOUR_MS
    return (
        TopicSpec(
            settings.api_calls_topic,
            settings.partitions,
            settings.replication,
            retention_ms,
            "delete",
            "events as sent; key: account_id",
            # When the broker got them: a sender's clock decides neither what is of the future nor what retention drops.
            {"message.timestamp.type": "LogAppendTime"},
        ),
        TopicSpec(
            settings.rejected_topic,
            1,
            settings.replication,
            retention_ms,
            "delete",
            "what could not be used, with the reason; no key",
            # A record holds up to 64 KiB of the event as base64 within JSON, and its envelope.
            {"max.message.bytes": str(1 << 20)},
        ),
        TopicSpec(
            settings.signals_topic,
            settings.partitions,
            settings.replication,
            retention_ms,
            "delete",
            "what accounts share, hour by hour, each value in a partition of its own; key: who tells it",
        ),
        TopicSpec(
            settings.incidents_topic,
            1,
            settings.replication,
            settings.incidents_retention_hours * _HOUR_MS,
            # Every change stays as long as the events do, the newest state of each incident until the retention ends.
            "compact,delete",
            "every change of an incident; key: incident_id",
            {"min.compaction.lag.ms": str(retention_ms)},
        ),
    )


def ensure_topics(bootstrap: Sequence[str], specs: Iterable[TopicSpec], security: Security = PLAINTEXT) -> list[str]:
    """Create the topics that are not there.

    Returns one line for each topic that is there with another number of partitions than stated: that is told and never
    altered, since it would move accounts to other partitions. Raises `kafka.errors.KafkaError` when the broker is away.
    """
    from kafka.errors import TopicAlreadyExistsError

    wanted = {spec.name: spec for spec in specs}
    admin = _admin(bootstrap, security)
    try:
        missing = wanted.keys() - set(admin.list_topics())
        for name in sorted(missing):
            spec = wanted[name]
            try:
                admin.create_topics({name: _creation(spec)}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                continue  # another worker was quicker
        present = sorted(wanted.keys() - missing)
        return _differences(admin.describe_topics(present), wanted) if present else []
    finally:
        admin.close()


def partition_counts(bootstrap: Sequence[str], names: Iterable[str], security: Security = PLAINTEXT) -> dict[str, int]:
    """How many partitions each of the topics has; a topic that is not there is left out."""
    admin = _admin(bootstrap, security)
    try:
        present = sorted(set(names) & set(admin.list_topics()))
        found = admin.describe_topics(present) if present else []
        return {topic["name"]: len(topic["partitions"]) for topic in found}
    finally:
        admin.close()


def _admin(bootstrap: Sequence[str], security: Security) -> Any:
    from kafka.admin import KafkaAdminClient

    from pipeline.stream.handshake import shake_hands

    if security is not PLAINTEXT:
        shake_hands(bootstrap, security)
    return KafkaAdminClient(
        bootstrap_servers=list(bootstrap), request_timeout_ms=ADMIN_TIMEOUT_MS, **security.options()
    )


def _creation(spec: TopicSpec) -> dict[str, Any]:
    return {
        "num_partitions": spec.partitions,
        "replication_factor": spec.replication,
        "configs": spec.all_configs(),
    }


def _differences(described: Iterable[dict[str, Any]], wanted: dict[str, TopicSpec]) -> list[str]:
    lines = []
    for topic in described:
        spec, count = wanted[topic["name"]], len(topic["partitions"])
        if count != spec.partitions:
            lines.append(
                f"topic {spec.name} has {count} partitions, the settings say {spec.partitions}: left as it is; "
                "set stream.partitions to what it has, or add partitions by hand while no worker runs"
            )
    return lines
