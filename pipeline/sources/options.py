"""What a caller may choose about reading log files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.event import EventLimits


class SourceError(Exception):
    """An input or an option is unusable; one line that says what is wrong, where, and what to do."""


class SourceOptionError(SourceError):
    """The options themselves are wrong: a format, map, delimiter or zone that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Options of `read_calls`; only `received_at` has no default."""

    received_at: int
    """Epoch milliseconds: the time of receipt that events are checked against."""
    limits: EventLimits = field(default_factory=EventLimits)
    """What the settings allow of an event."""
    account: str | None = None
    """The account of records that name none. Native events are left alone unless this is given."""
    account_attribute: str | None = None
    """The one place that holds the account, instead of the format's search order: an attribute name (otel), a dotted path
    (litellm, cloudtrail, apigateway)."""
    csv_map: Mapping[str, str] = field(default_factory=dict)
    """ApiCall field -> column, or dotted path in JSON; `attributes.NAME` keeps one as an attribute, `prompt_text` and
    `system_prompt_text` are hashed and then forgotten."""
    csv_delimiter: str = ","
    """One character between the cells."""
    zone: str = "UTC"
    """IANA name of the zone of times that carry none."""
    max_line_bytes: int = 1 << 20
    """A longer record is rejected as oversized; its first 64 KiB are kept."""
    max_document_bytes: int = 256 << 20
    """The largest single JSON document that has to be held whole: an OTLP batch, or an object that is no known envelope."""
