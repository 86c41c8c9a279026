"""What a client of ClickHouse's native protocol asks first over HTTP (clickhouse-go, and Grafana with it): at which revision?

It reads the answer as blocks of its own revision of the protocol, and all later ones as blocks of the revision that it was told.
chDB writes blocks without a revision, so it is told 0, in a block of the kind that it expects.
"""

from __future__ import annotations

import re

#: From here on a column says whether its serialization is a special one.
_WITH_SERIALIZATION = 54454
_REVISION = re.compile(r"\brevision\(\)")
#: Not an overflow block (field 1), no bucket (field 2, -1), and no more fields.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_WIDTHS = {"UInt8": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8}


def asks_revision(statement: str, output_format: str, client_version: str) -> bool:
    """Whether a statement is that first question."""
    newer = client_version.isdigit() and int(client_version) >= _WITH_SERIALIZATION
    return newer and output_format == "Native" and bool(_REVISION.search(statement))


def without_revision(statement: str) -> str:
    """The question, answered with the revision of what chDB writes."""
    return _REVISION.sub("toUInt32(0) AS `revision()`", statement)


def of_newer_revision(body: bytes) -> bytes:
    """A block of text and whole numbers as newer revisions have it; anything else unchanged."""
    try:
        columns, at = _number(body, 0)
        rows, at = _number(body, at)
        out = [_BLOCK_INFO, body[:at]]
        for _ in range(columns):
            begin = at
            _, at = _text(body, at)
            kind, at = _text(body, at)
            out += [body[begin:at], b"\0"]
            begin = at
            if kind == b"String":
                for _ in range(rows):
                    _, at = _text(body, at)
            else:
                at += rows * _WIDTHS[kind.decode()]
            out.append(body[begin:at])
    except (IndexError, KeyError, UnicodeDecodeError):
        return body
    return b"".join(out) if at == len(body) else body


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = _number(data, at)
    return data[at : at + length], at + length
