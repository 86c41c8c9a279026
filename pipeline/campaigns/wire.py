"""What travels on the topic `account-signals`: MessagePack in a Zstandard frame, columns as bytes, little endian.

Two sorts of records. Signals go from a partition of `api-calls` to the shard of each link value, so that all who use a value meet
in one place whichever worker reads them; complete hours go from every shard to the one place where campaigns are kept.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import numpy as np

from pipeline.campaigns.links import LinkedHour
from pipeline.campaigns.sightings import keys_of
from pipeline.features.links import AccountHours, ClosedHours, Links
from pipeline.features.signals import Signals

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: The partition of the topic, and so the shard, where campaigns are kept.
CAMPAIGNS_AT = 0
#: The quickest: records are many, small, and soon read.
_LEVEL = 1
_UNSIGNED = ("org", "payment", "minutes", "value")


class WireError(ValueError):
    """A record that cannot be read; one line."""


class _Signals(msgspec.Struct, array_like=True, tag="signals"):
    partition: int
    accounts: list[str]
    hours: dict[str, bytes]
    links: dict[str, bytes]
    closed: dict[str, bytes]


class Told(msgspec.Struct, array_like=True, tag="hours"):
    """Complete hours of a shard of link values."""

    shard: int
    hours: list[LinkedHour]


_decoder = msgspec.msgpack.Decoder(_Signals | Told)
_encoder = msgspec.msgpack.Encoder()


def by_shard(signals: Signals, shards: int) -> dict[int, Signals]:
    """The signals for each shard; every shard hears of hours that closed."""
    if signals.empty:
        return {}
    at = keys_of(signals.links.kind, signals.links.value) >> np.uint64(1)
    shard_of = at % np.uint64(shards)
    parts = {shard: signals.chosen(shard_of == shard) for shard in range(shards)}
    return {shard: part for shard, part in parts.items() if not part.empty}


def pack(record: Signals | Told) -> bytes:
    """The bytes of a record."""
    return zstd.compress(encode_record(record), level=_LEVEL)


def encode_record(record: Signals | Told) -> bytes:
    """The bytes of a record before they are compressed."""
    if isinstance(record, Signals):
        columns = (_columns(part) for part in (record.hours, record.links, record.closed))
        plain: _Signals | Told = _Signals(record.partition, list(record.account_id), *columns)
    else:
        plain = record
    return _encoder.encode(plain)


def unpack(data: bytes) -> Signals | Told:
    """The record that `pack` made `data` of. Raises `WireError` when it is damaged or of another program."""
    try:
        plain = zstd.decompress(data)
    except (zstd.ZstdError, EOFError) as error:
        raise WireError(f"not a record of signals: {error}") from error
    return decode_record(plain)


def decode_record(data: bytes) -> Signals | Told:
    """The record that `encode_record` made `data` of. Raises `WireError`."""
    try:
        record = _decoder.decode(data)
        if isinstance(record, Told):
            return record
        hours = AccountHours(*(_column(name, record.hours[name]) for name in AccountHours.__dataclass_fields__))
        of, kind, value = (record.links[name] for name in ("of", "kind", "value"))
        links = Links(_column("of", of), np.frombuffer(kind, np.uint8), _column("value", value))
        closed = ClosedHours(*(_column(name, record.closed[name]) for name in ClosedHours.__dataclass_fields__))
        signals = Signals(record.partition, record.accounts, hours, links, closed)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
        raise WireError(f"not a record of signals: {error}") from error
    if not _fits(signals):
        raise WireError("not a record of signals: its columns do not fit each other")
    return signals


def _columns(part: AccountHours | Links | ClosedHours) -> dict[str, bytes]:
    return {name: getattr(part, name).tobytes() for name in part.__dataclass_fields__}


def _column(name: str, data: bytes) -> Any:
    return np.frombuffer(data, np.uint64 if name in _UNSIGNED else np.int64)


def _fits(signals: Signals) -> bool:
    rows = len(signals)
    hours = all(getattr(signals.hours, name).size == rows for name in AccountHours.__dataclass_fields__)
    links = signals.links
    of_links = links.of.size == links.kind.size == links.value.size
    return hours and of_links and bool(((links.of >= 0) & (links.of < rows)).all())
