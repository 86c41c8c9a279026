"""From bytes, or from a mapped log record, to an `ApiCall`, or to the reason why not."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from pipeline.event.api_call import FIELDS, REQUIRED_FIELDS, SCHEMA_VERSION, ApiCall
from pipeline.event.content_names import is_content
from pipeline.event.framed import UnframedError, is_framed, unframed
from pipeline.event.pseudonym import address_key, without_addresses
from pipeline.event.reject import RAW_LIMIT, Rejected, RejectReason, rejected

_KNOWN = frozenset(FIELDS)
_TIMES = ("ts", "signup_ts")
_HEXADECIMAL = ("prompt_hash", "prompt_simhash", "system_prompt_hash")
_FIELD_OF_ERROR = re.compile(r"at `\$\.(\w+)")
#: Characters kept of one value of `attributes`, and the number of attributes kept.
ATTRIBUTE_LENGTH = 1024
ATTRIBUTE_COUNT = 64
#: Events that are looked at together: one that is not in order costs each of them a look of its own.
_TOGETHER = 256
#: Bytes of the longest line that is handed on as it is; none of known fields needs as many.
_LONGEST_LINE = 16 << 10

_decoder = msgspec.json.Decoder(ApiCall)
_any_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class EventLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the settings allow of an event."""

    earliest: int = 1_262_304_000_000
    """Epoch milliseconds; an older `ts` is rejected. 2010-01-01 by default."""
    max_future_s: int = 60
    """Seconds that `ts` may lie after the time of receipt. One clock that is ahead moves the watermark of all accounts with
    it, so this must stay below `engine.allowed_lateness_s`."""
    max_bytes: int = 1 << 20
    """Largest message in bytes."""
    hash_addresses: bool = False
    """Put a keyed hash in the place of each client's address, in `ingest` and in the worker, before anything is stored. See
    docs/operations.md."""
    address_key_file: str = ""
    """File with the key of these hashes; `STILLWATCH_ADDRESS_KEY` does the same from the environment."""
    avro_schemas: dict[str, str] = {}
    """Files with the writers' Avro schemas by their id in the schema registry (`{"7" = "api_call.avsc"}`), for records in
    Confluent's framing. See docs/edge.md."""


def decode(raw: bytes, *, received_at: int, limits: EventLimits) -> ApiCall | Rejected:
    """Decode one native event: JSON, or JSON or Avro framed as for a schema registry.

    `received_at` is epoch milliseconds: the record's time in Kafka, or when a file is read; the decoder reads no clock.
    Raises `AddressKeyError` when addresses are to be hashed and there is no key, `AvroSchemaError` when a schema cannot be used.
    """
    result = _decoded(raw, received_at, limits)
    return without_addresses(result, address_key(limits.address_key_file)) if limits.hash_addresses else result


def _decoded(raw: bytes, received_at: int, limits: EventLimits) -> ApiCall | Rejected:
    if len(raw) > limits.max_bytes:
        detail = f"{len(raw)} bytes, the limit is {limits.max_bytes}"
        return rejected(RejectReason.OVERSIZED, detail, raw, received_at)
    try:
        call = _decoder.decode(raw)
    except msgspec.ValidationError:
        return _decode_slowly(raw, received_at, limits)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if is_framed(raw):
            return _decode_framed(raw, received_at, limits)
        return rejected(RejectReason.MALFORMED_JSON, str(error), raw, received_at)
    return _checked(call, raw, received_at, limits)


def decode_many(raws: Sequence[bytes], *, received_at: Sequence[int], limits: EventLimits) -> list[ApiCall | Rejected]:
    """`decode` of each, `received_at[i]` for `raws[i]`; quicker, as one look shows that many events are in order."""
    results: list[ApiCall | Rejected] = []
    for begin in range(0, len(raws), _TOGETHER):
        some, times = raws[begin : begin + _TOGETHER], received_at[begin : begin + _TOGETHER]
        calls = _decode_sound(some, min(times), limits)
        if calls is not None:
            for call in calls:
                if call.attributes:
                    call.attributes = _kept(call.attributes)
            results += calls
        else:
            pairs = zip(some, times, strict=True)
            results += [decode(raw, received_at=moment, limits=limits) for raw, moment in pairs]
    return results


class CallLine(msgspec.Struct, frozen=True, gc=False):
    """A call in the JSON it came in, which has nothing in it that is not kept: encoded anew it would be the same call."""

    account_id: str
    json: bytes


def decode_lines(
    raws: Sequence[bytes], *, received_at: int, limits: EventLimits
) -> list[ApiCall | CallLine | Rejected]:
    """`decode` of each, whose own bytes stand for a call where they can be handed on as they are."""
    results: list[ApiCall | CallLine | Rejected] = []
    for begin in range(0, len(raws), _TOGETHER):
        some = raws[begin : begin + _TOGETHER]
        calls = _decode_sound(some, received_at, limits)
        if calls is None:
            results += [decode(raw, received_at=received_at, limits=limits) for raw in some]
            continue
        for raw, call in zip(some, calls, strict=True):
            # Attributes may hold what must not travel on; and white space need not.
            if call.attributes or len(raw) > _LONGEST_LINE:
                call.attributes = _kept(call.attributes)
                results.append(call)
            else:
                results.append(CallLine(call.account_id, raw))
    return results


def from_mapping(
    mapping: Mapping[str, object],
    raw: bytes,
    *,
    received_at: int,
    limits: EventLimits,
    lax: bool = False,
) -> ApiCall | Rejected:
    """Build an `ApiCall` from a mapping with the names of the schema; other names go to `attributes`.

    With `lax`, text is read as the number or truth value the field wants, as a CSV needs it.
    """
    fields: dict[str, object] = {}
    attributes: dict[str, str] = {}
    for name, value in mapping.items():
        if name == "attributes":
            if isinstance(value, Mapping):
                for key, item in value.items():
                    _keep(attributes, str(key), item)
            elif value is not None:
                return rejected(RejectReason.WRONG_TYPE, "attributes is not an object", raw, received_at)
        elif name in _KNOWN:
            if value is not None:
                fields[name] = value
        else:
            _keep(attributes, name, value)
    for name in REQUIRED_FIELDS:
        if name not in fields:
            return rejected(RejectReason.MISSING_FIELD, f"{name} is missing", raw, received_at)
    version = fields.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        detail = f"schema_version {version!r}, this program reads {SCHEMA_VERSION}"
        return rejected(RejectReason.UNKNOWN_SCHEMA_VERSION, detail, raw, received_at)
    fields["attributes"] = attributes
    try:
        call = msgspec.convert(fields, ApiCall, strict=not lax)
    except msgspec.ValidationError as error:
        return rejected(_reason_of(str(error)), str(error), raw, received_at)
    except (OverflowError, ValueError) as error:
        return rejected(RejectReason.TIME_INVALID, str(error), raw, received_at)
    return _checked(call, raw, received_at, limits)


def encode(call: ApiCall) -> bytes:
    """The native JSON of a call, on one line without a newline; `decode` gives the same call back."""
    return _encoder.encode(call)


def _decode_sound(raws: Sequence[bytes], received_at: int, limits: EventLimits) -> list[ApiCall] | None:
    # None unless all have known fields only and are what `_checked` lets through at `received_at`, and so at any later time;
    # it is the caller's to choose among their attributes.
    if max(map(len, raws)) > limits.max_bytes:
        return None
    try:
        calls = list(map(_decoder.decode, raws))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    latest = received_at + limits.max_future_s * 1000
    times = [call.ts for call in calls]
    signups = [moment for call in calls if (moment := call.signup_ts) is not None]
    if (
        min(times) < limits.earliest
        or max(times) > latest
        or (signups and not 0 <= min(signups) <= max(signups) <= latest)
    ):
        return None
    if any(call.schema_version != SCHEMA_VERSION for call in calls):
        return None
    digits = [
        text for call in calls for text in (call.prompt_hash, call.prompt_simhash, call.system_prompt_hash) if text
    ]
    if not _is_hexadecimal("".join(digits)):
        return None
    return calls


def _decode_slowly(raw: bytes, received_at: int, limits: EventLimits) -> ApiCall | Rejected:
    # The struct decoder stops at the first unknown field; those are to be kept, so look at the document as a mapping.
    try:
        document = _any_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return rejected(RejectReason.MALFORMED_JSON, str(error), raw, received_at)
    if not isinstance(document, dict):
        return rejected(RejectReason.NOT_AN_OBJECT, f"a JSON {type(document).__name__}", raw, received_at)
    return from_mapping(document, raw, received_at=received_at, limits=limits)


def _decode_framed(raw: bytes, received_at: int, limits: EventLimits) -> ApiCall | Rejected:
    try:
        body = unframed(raw, limits.avro_schemas)
    except UnframedError as error:
        return rejected(error.reason, str(error), raw, received_at)
    if isinstance(body, dict):
        return from_mapping(body, raw, received_at=received_at, limits=limits)
    result = _decoded(body, received_at, limits)
    return msgspec.structs.replace(result, raw=raw[:RAW_LIMIT]) if isinstance(result, Rejected) else result


def _checked(call: ApiCall, raw: bytes, received_at: int, limits: EventLimits) -> ApiCall | Rejected:
    if call.ts < limits.earliest:
        detail = f"ts {call.ts} lies before the earliest allowed, {limits.earliest}"
        return rejected(RejectReason.TIME_TOO_OLD, detail, raw, received_at)
    if call.ts > received_at + limits.max_future_s * 1000:
        detail = f"ts {call.ts} lies more than {limits.max_future_s} s after its receipt at {received_at}"
        return rejected(RejectReason.TIME_IN_FUTURE, detail, raw, received_at)
    if call.signup_ts is not None and not 0 <= call.signup_ts <= received_at + limits.max_future_s * 1000:
        detail = f"signup_ts {call.signup_ts} is before 1970 or in the future"
        return rejected(RejectReason.TIME_INVALID, detail, raw, received_at)
    if call.schema_version != SCHEMA_VERSION:
        detail = f"schema_version {call.schema_version}, this program reads {SCHEMA_VERSION}"
        return rejected(RejectReason.UNKNOWN_SCHEMA_VERSION, detail, raw, received_at)
    # One look at all three is enough unless something is wrong.
    digits = f"{call.prompt_hash or ''}{call.prompt_simhash or ''}{call.system_prompt_hash or ''}"
    if digits and not _is_hexadecimal(digits):
        wrong = [name for name in _HEXADECIMAL if not _is_hexadecimal(getattr(call, name) or "")]
        return rejected(RejectReason.TEXT_INVALID, f"{wrong[0]} is not hexadecimal", raw, received_at)
    if call.attributes:
        call.attributes = _kept(call.attributes)
    return call


def _is_hexadecimal(text: str) -> bool:
    try:
        # A hash may have an odd number of digits; white space, which fromhex skips, makes the count differ.
        return len(bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)) == (len(text) + 1) // 2
    except ValueError:
        return False


def _kept(given: Mapping[str, str]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for name, value in given.items():
        _keep(attributes, name, value)
    return attributes


def _keep(attributes: dict[str, str], name: str, value: object) -> None:
    if value is None or len(attributes) >= ATTRIBUTE_COUNT or is_content(name):
        return
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    attributes[name[:ATTRIBUTE_LENGTH]] = text[:ATTRIBUTE_LENGTH]


def _reason_of(message: str) -> RejectReason:
    found = _FIELD_OF_ERROR.search(message)
    field = found.group(1) if found else ""
    if "RFC3339" in message or "timezone" in message or (field in _TIMES and "out of range" in message.lower()):
        return RejectReason.TIME_INVALID
    if "of length" in message:
        if field == "event_id":
            return RejectReason.EVENT_ID_INVALID
        return RejectReason.ACCOUNT_INVALID if field == "account_id" else RejectReason.TEXT_INVALID
    if " >= " in message or " <= " in message or "out of range" in message.lower():
        return RejectReason.NUMBER_OUT_OF_RANGE
    return RejectReason.WRONG_TYPE
