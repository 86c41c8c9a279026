"""Times as log formats write them, brought to epoch milliseconds in UTC."""

import math
import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.event import epoch_milliseconds
from pipeline.sources.options import SourceOptionError

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
# Apache's and API Gateway's: 10/Dec/2024:13:55:36 +0000. Month names are English whatever the locale, so no strptime.
_COMMON_LOG: Final = re.compile(r"\[?(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d)(\d\d)\]?")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def zone_named(name: str) -> tzinfo:
    """The zone with the IANA name `name`; SourceError where there is none."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SourceOptionError(
            f"zone {name!r} is not known: give an IANA name such as UTC or Europe/Berlin"
        ) from error


def parse_time(value: object, zone: tzinfo) -> object:
    """Epoch milliseconds of `value`, or `value` itself where it is no time (the event's checks then say why).

    Numbers are seconds, milliseconds, microseconds or nanoseconds from the epoch, told apart by size (seconds below 1e11,
    which is the year 5138; milliseconds from there, which is 1973). Text is such a number, RFC 3339, ISO 8601 with a
    blank and any number of decimals, or the common log format; a time without a zone is in `zone`. Fractions of
    a millisecond are cut off, except from seconds, which are rounded: a float such as 1733134567.123 is not exact.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _from_number(value)
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _from_number(float(text) if "." in text else int(text)) if len(text) <= 40 else value
    try:
        moment = _common_log(text) or datetime.fromisoformat(text)
        return epoch_milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return value


def _from_number(number: float) -> object:
    if isinstance(number, float) and not math.isfinite(number):
        return str(number)
    size = abs(number)
    if size < 1e11:
        return round(number * 1000)
    if size < 1e14:
        return int(number)
    divisor = 1_000 if size < 1e17 else 1_000_000
    return int(number) // divisor


def _common_log(text: str) -> datetime | None:
    found = _COMMON_LOG.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    month = _MONTHS.index(found[2]) + 1
    day, year, clock = int(found[1]), found[3], f"{found[4]}:{found[5]}:{found[6]}"
    return datetime.fromisoformat(f"{year}-{month:02}-{day:02}T{clock}{found[7]}:{found[8]}")
