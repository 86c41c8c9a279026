"""Whom to tell of incidents, how, and how often."""

from collections.abc import Iterator
from string import Template
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from pipeline.settings.section import Positive, PositiveFloat, Section

#: From the least to the most severe.
SEVERITIES = ("low", "medium", "high", "critical")
#: What a template can name.
TEMPLATE_NAMES = (
    "event",
    "severity",
    "kind",
    "entity_type",
    "entity_id",
    "summary",
    "output_tokens",
    "opened_at",
    "detected_at",
    "incident_id",
    "link",
)
Severity = Literal["low", "medium", "high", "critical"]


class AlertTarget(Section, frozen=True):
    """One place that is told of incidents. See docs/alerts.md."""

    name: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z0-9_-]+$")]
    """Stands in logs, and in the name of the target's consumer group; unique."""
    kind: Literal["webhook", "slack", "alertmanager", "email"]
    """`webhook`: JSON, signed as Standard Webhooks says; `slack`: an incoming webhook of Slack or what takes its format;
    `alertmanager`: Prometheus' Alertmanager, API version 2; `email`: SMTP."""
    address: Annotated[str, Meta(min_length=1, max_length=2000)]
    """`https://…` or `http://…`; for `email` `smtp://host:25`, `smtp+starttls://user@host:587` or
    `smtps://user@host:465`. An address that is itself a secret (Slack's is) as `file:PATH` or `env:NAME`."""
    secret: Annotated[str, Meta(pattern="^$|^(file|env):.+")] = ""
    """`file:PATH` or `env:NAME`: the key that signs a webhook, Alertmanager's bearer token, the password of SMTP. Never
    the secret itself."""
    sender: Annotated[str, Meta(max_length=320)] = "stillwatch@localhost"
    """For `email`: who sends."""
    to: tuple[Annotated[str, Meta(min_length=3, max_length=320)], ...] = ()
    """For `email`: who gets it."""
    severity: Severity = "medium"
    """Incidents of less severity are not told."""
    on: tuple[Literal["opened", "escalated", "closed"], ...] = ("opened", "escalated", "closed")
    """What is told: that an incident opened (or reached `severity`), became more severe, closed. A closing is
    told of what had been told."""
    entity_types: tuple[Literal["account", "campaign"], ...] = ("account", "campaign")
    """Of what."""
    template: Annotated[str, Meta(max_length=4000)] = "[$severity] $event: $summary"
    """The text, with $event, $severity, $kind, $entity_type, $entity_id, $summary, $output_tokens, $opened_at, $detected_at,
    $incident_id and $link for what an incident has."""
    link: Annotated[str, Meta(max_length=1000)] = ""
    """What $link is: an address with $entity_type, $entity_id and $incident_id, each quoted for addresses."""
    per_hour: Positive = 60
    """Messages an hour, at most, and as many at once; what is beyond waits and is told together in one."""
    quiet: Annotated[str, Meta(pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")] = ""
    """Quiet hours, `22:00-07:00` for example: what comes then waits until they end and is told together."""
    quiet_zone: str = "UTC"
    """Time zone of `quiet`, `Europe/Berlin` for example."""
    quiet_severity: Literal["low", "medium", "high", "critical", "none"] = "critical"
    """From this severity on incidents are told in quiet hours all the same; `none` for never."""
    timeout_s: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """Seconds that the target has to answer."""
    retry_max_s: PositiveFloat = 3600.0
    """Seconds for which a message is tried again before it is given up; the incident stays in the topic and in the store."""
    allow_private: bool = False
    """Whether a `webhook` or `slack` may be at an address that is not public: one of this network or of this machine."""


class AlertSettings(Section, frozen=True):
    """Whom `stillwatch alerts` tells of incidents. See docs/alerts.md."""

    group: str = "stillwatch-alerts"
    """Beginning of the consumer groups, one for each target."""
    targets: tuple[AlertTarget, ...] = ()
    """The places told; each is a table `[[alerts.targets]]`."""


def mistakes_in_alerts(alerts: AlertSettings) -> Iterator[str]:
    """Yield one line for each contradiction among the targets."""
    names: set[str] = set()
    for index, target in enumerate(alerts.targets):
        where = f"alerts.targets[{index}] ({target.name})"
        if target.name in names:
            yield f"{where}: the name is taken by another target"
        names.add(target.name)
        schemes = ("smtp://", "smtps://", "smtp+starttls://") if target.kind == "email" else ("https://", "http://")
        if not target.address.startswith((*schemes, "file:", "env:")):
            yield f"{where}: address begins with none of {', '.join(schemes)}, file:, env:"
        if target.kind == "email" and not target.to:
            yield f"{where}: to is empty; name who gets it"
        try:
            ZoneInfo(target.quiet_zone)
        except (ZoneInfoNotFoundError, ValueError):
            yield f"{where}: there is no time zone {target.quiet_zone!r}"
        for name in ("template", "link"):
            if not Template(getattr(target, name)).is_valid():
                yield f"{where}: {name} has a $ that begins no name; write $$ for the sign"
            unknown = set(Template(getattr(target, name)).get_identifiers()) - set(TEMPLATE_NAMES)
            if unknown:
                yield f"{where}: {name} names {', '.join(sorted(unknown))}; there are {', '.join(TEMPLATE_NAMES)}"
