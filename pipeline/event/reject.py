"""Why an event could not be used: a closed list, and the record that keeps what was rejected."""

from enum import StrEnum

import msgspec

#: Bytes of an unusable event that are kept, in the table and on the topic.
RAW_LIMIT = 64 * 1024


class RejectReason(StrEnum):
    """The closed list of reasons; each value is what stands in `rejected_events.reason`."""

    MALFORMED_JSON = "malformed_json"
    """The bytes are not one JSON document in UTF-8."""
    MALFORMED_AVRO = "malformed_avro"
    """A record framed for a schema registry whose body is not what its schema says."""
    NOT_AN_OBJECT = "not_an_object"
    """The JSON document is not an object."""
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    """`schema_version`, or the schema's id in a registry's frame, is there and names one this program does not know."""
    MISSING_FIELD = "missing_field"
    """A required field is absent or null."""
    WRONG_TYPE = "wrong_type"
    """A field has another JSON type than the schema's."""
    EVENT_ID_INVALID = "event_id_invalid"
    """`event_id` is empty or longer than 128 characters."""
    ACCOUNT_INVALID = "account_invalid"
    """`account_id` is empty or longer than 256 characters."""
    TEXT_INVALID = "text_invalid"
    """Another text field is too long or not of its form (hexadecimal hashes, for example)."""
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    """A number is negative, not finite, or beyond what an API call can have."""
    TIME_INVALID = "time_invalid"
    """A time is not RFC 3339 with a zone, nor an integer of epoch milliseconds."""
    TIME_TOO_OLD = "time_too_old"
    """`ts` lies before the earliest time that the settings allow."""
    TIME_IN_FUTURE = "time_in_future"
    """`ts` lies further after the time of receipt than the settings allow."""
    OVERSIZED = "oversized"
    """The message is larger than the settings allow."""
    NO_ACCOUNT = "no_account"
    """A log record of a known format names no caller, so there is no account to count it for."""
    NOT_A_CALL = "not_a_call"
    """A record of a known log format that tells of something else than a call of the API (a span of a tool, for example)."""
    UNKNOWN_FORMAT = "unknown_format"
    """The input is of no known log format, or lacks what its format must have."""
    UNREADABLE_INPUT = "unreadable_input"
    """The input broke off or could not be decompressed; what came before was used."""
    EMPTY_INPUT = "empty_input"
    """A file without a single record."""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be used, kept whole up to `RAW_LIMIT` bytes."""

    reason: RejectReason
    detail: str
    raw: bytes
    received_at: int
    """Epoch milliseconds."""
    source: str = ""
    """The file or the sender it came from, where known."""
    topic: str = ""
    partition: int = -1
    offset: int = -1


def rejected(reason: RejectReason, detail: str, raw: bytes, received_at: int, source: str = "") -> Rejected:
    """Build a `Rejected`, cutting `raw` to `RAW_LIMIT` bytes and `detail` to 300 characters."""
    return Rejected(
        reason=reason, detail=detail[:300], raw=bytes(raw[:RAW_LIMIT]), received_at=received_at, source=source
    )
