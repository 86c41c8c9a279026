"""ClickHouse's HTTP interface on the wire: requests taken apart, bodies packed and unpacked."""

from __future__ import annotations

import base64
import binascii
import email.parser
import email.policy
import gzip
import re
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import lz4.frame

from pipeline.store.http.blocks import in_blocks

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Parameters of a request that are not settings of the query.
RESERVED = frozenset(
    {
        "query",
        "database",
        "default_format",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "user",
        "password",
        "quota_key",
        "role",
        "compress",
        "decompress",
        "buffer_size",
        "wait_end_of_query",
        "client_protocol_version",
        "stacktrace",
        # Settings of the HTTP handler itself, which chDB does not have.
        "enable_http_compression",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
    }
)
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, 1),
    "deflate": lambda body: zlib.compress(body, 1),
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
}
#: With the most bytes that may come of it: a body that packs much of one byte must not fill the memory.
_UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": lambda body, most: zlib.decompressobj(wbits=31).decompress(body, most),
    "deflate": lambda body, most: zlib.decompressobj().decompress(body, most),
    "lz4": lambda body, most: _lz4(body, most),
    "zstd": lambda body, most: zstd.ZstdDecompressor().decompress(body, max_length=most),
}
_INSERT = re.compile(
    rb"\s*(INSERT\s+INTO\s+(?:(?!\bVALUES\b|\bSELECT\b).)*?)\s+FORMAT\s+(\w+)[ \t]*(?:\r?\n|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_PIECE = 1 << 20
_CODE = re.compile(r"Code: (\d+)\.")
#: Codes that the server answers with another status than 500.
_STATUSES = {
    194: 401,
    **dict.fromkeys((192, 193, 497, 516), 403),
    **dict.fromkeys((46, 47, 50, 60, 73, 78, 81, 111, 115), 404),
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 396, 427, 456, 457), 400),
    159: 408,
    209: 408,
    411: 411,
    223: 413,
    48: 501,
    202: 503,
}


class BadRequestError(Exception):
    """A request that can't be taken apart; the text is ClickHouse's, with its code."""


@dataclass
class Request:
    """A query as it came: text and data apart."""

    parameters: dict[str, str]
    sql: bytes
    data: bytes | None = None
    """What an INSERT brings; None for other statements."""
    data_format: str = ""
    bound: dict[str, str] = field(default_factory=dict)
    """Values of the query's parameters."""
    settings: dict[str, str] = field(default_factory=dict)


def read_request(path: str, headers: Mapping[str, str], body: bytes, largest: int) -> Request:
    """Take a request apart; unpacked, its body may have `largest` bytes. Raises `BadRequestError`."""
    parameters = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    content_type = headers.get("Content-Type") or ""
    if content_type.startswith("multipart/form-data"):
        parameters.update(_form(content_type, body))
        body = b""
    encoding = headers.get("Content-Encoding") or "identity"
    if encoding != "identity":
        try:
            body = _UNPACK[encoding](body, largest + 1)
        except KeyError:
            raise BadRequestError(f"Code: 48. DB::Exception: Unknown encoding {encoding}. (NOT_IMPLEMENTED)") from None
        except Exception as error:
            raise BadRequestError(f"Code: 354. DB::Exception: The body is no {encoding}: {error}. (FAULT)") from None
    if len(body) > largest:
        raise BadRequestError(f"Code: 223. DB::Exception: The body has more than {largest} bytes. (QUERY_IS_TOO_LARGE)")
    if parameters.get("decompress", "0") not in ("", "0", "false"):
        raise BadRequestError(
            "Code: 48. DB::Exception: decompress=1 is not known here: use Content-Encoding. (NOT_IMPLEMENTED)"
        )
    for name, header in (("database", "X-ClickHouse-Database"), ("default_format", "X-ClickHouse-Format")):
        if headers.get(header):
            parameters.setdefault(name, str(headers.get(header)))
    query = parameters.get("query", "").encode()
    text = query + b"\n" + body if query and body else query or body
    request = Request(parameters, text)
    found = _INSERT.match(text)
    if found:
        request.sql, request.data_format = found.group(1), found.group(2).decode()
        request.data = text[found.end() :]
    for name, value in parameters.items():
        if name.startswith("param_"):
            request.bound[name.removeprefix("param_")] = value
        elif name not in RESERVED:
            request.settings[name] = value
    return request


def credentials(parameters: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    """User and password, from wherever a client puts them; `default` and none where it gives none."""
    authorization = headers.get("Authorization") or ""
    if authorization.startswith("Basic "):
        try:
            user, _, secret = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, secret
    if headers.get("X-ClickHouse-User") or headers.get("X-ClickHouse-Key"):
        return headers.get("X-ClickHouse-User") or "default", headers.get("X-ClickHouse-Key") or ""
    return parameters.get("user") or "default", parameters.get("password", "")


def pack(body: bytes, parameters: Mapping[str, str], headers: Mapping[str, str]) -> tuple[bytes, str | None]:
    """Compress an answer as the client asks for it, and the `Content-Encoding` that says so.

    `compress=1` is ClickHouse's own blocks, which no header tells; JDBC reads them.
    """
    if parameters.get("compress") in ("1", "true"):
        return in_blocks(body), None
    if parameters.get("enable_http_compression", "1") in ("0", "false"):
        return body, None
    for accepted in (headers.get("Accept-Encoding") or "").replace(" ", "").split(","):
        name = accepted.partition(";")[0]
        if name in _PACK:
            return _PACK[name](body), name
    return body, None


def error_code(message: str) -> int:
    """ClickHouse's code in an error's text; that of an unknown error where there is none."""
    found = _CODE.search(message)
    return int(found.group(1)) if found else 1002


def http_status(code: int) -> int:
    """The status that ClickHouse gives with an error code."""
    return _STATUSES.get(code, 500)


def _lz4(body: bytes, most: int) -> bytes:
    # Piece by piece, since it reserves the memory for as much as it may give.
    unpacker = lz4.frame.LZ4FrameDecompressor()
    pieces = [unpacker.decompress(body, max_length=_PIECE)]
    got = len(pieces[0])
    while not unpacker.eof and not unpacker.needs_input and got < most:
        pieces.append(unpacker.decompress(b"", max_length=_PIECE))
        got += len(pieces[-1])
    return b"".join(pieces)


def _form(content_type: str, body: bytes) -> dict[str, str]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name, value = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        fields[str(name)] = value.decode() if isinstance(value, bytes) else ""
    return fields
