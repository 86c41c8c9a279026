"""The event: one API call, version 1 of the schema in `schemas/api_call/`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

SCHEMA_VERSION = 1

MAX_TOKENS = 1_000_000_000
MAX_BYTES = 1 << 44
MAX_MILLISECONDS = 30 * 86_400_000
MAX_COUNT = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

if TYPE_CHECKING:
    Timestamp = int
else:
    # On the wire: integer epoch milliseconds, or RFC 3339 with a zone; in memory always the integer.
    Timestamp = int | Annotated[datetime, Meta(tz=True)]

EventId = Annotated[str, Meta(min_length=1, max_length=128)]
AccountId = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=256)]
LongText = Annotated[str, Meta(max_length=1024)]
Tokens = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
Bytes = Annotated[int, Meta(ge=0, le=MAX_BYTES)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Milliseconds = Annotated[float, Meta(ge=0, le=MAX_MILLISECONDS)]
Hash = Annotated[str, Meta(max_length=128)]
Simhash = Annotated[str, Meta(min_length=16, max_length=16)]


# Without gc: it can be part of no cycle, and collections need not look through the thousands that are alive.
class ApiCall(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One call of an API by an account.

    Times are epoch milliseconds in UTC, sizes bytes, latencies milliseconds. No prompt or completion text is part
    of it. Unknown fields of the wire go to `attributes`.
    """

    # required
    event_id: EventId
    ts: Timestamp
    account_id: AccountId
    # who
    api_key_id: Text | None = None
    org_id: Text | None = None
    project_id: Text | None = None
    payment_id: Text | None = None
    signup_ts: Timestamp | None = None
    # what
    operation: Text | None = None
    endpoint: LongText | None = None
    provider: Text | None = None
    model: Text | None = None
    stream: bool | None = None
    n: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Tokens | None = None
    logprobs: bool | None = None
    tools: Count | None = None
    # how much
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cached_input_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None
    request_bytes: Bytes | None = None
    response_bytes: Bytes | None = None
    # outcome
    status: Annotated[int, Meta(ge=0, le=999)] | None = None
    error_type: Text | None = None
    latency_ms: Milliseconds | None = None
    ttft_ms: Milliseconds | None = None
    # from where
    client_ip: Text | None = None
    asn: Annotated[int, Meta(ge=0, le=4_294_967_295)] | None = None
    country: Text | None = None
    user_agent: LongText | None = None
    # content without content
    prompt_hash: Hash | None = None
    prompt_simhash: Simhash | None = None
    system_prompt_hash: Hash | None = None
    # the rest
    attributes: dict[str, str] = {}
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Bring times to epoch milliseconds."""
        ts: object = self.ts
        if isinstance(ts, datetime):
            self.ts = epoch_milliseconds(ts)
        signup_ts: object = self.signup_ts
        if isinstance(signup_ts, datetime):
            self.signup_ts = epoch_milliseconds(signup_ts)


def epoch_milliseconds(moment: datetime) -> int:
    """Whole milliseconds from the epoch to `moment`, which must have a zone; fractions are cut off (floor)."""
    return (moment - _EPOCH) // _MILLISECOND


FIELDS: tuple[str, ...] = ApiCall.__struct_fields__
REQUIRED_FIELDS = ("event_id", "ts", "account_id")
