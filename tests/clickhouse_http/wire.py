"""ClickHouse's HTTP interface on the wire: requests taken apart, bodies packed and unpacked."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import gzip
import re
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import lz4.frame

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
_PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
}
_UNPACK = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
}
_INSERT = re.compile(
    rb"\s*(INSERT\s+INTO\s+(?:(?!\bVALUES\b|\bSELECT\b).)*?)\s+FORMAT\s+(\w+)[ \t]*(?:\r?\n|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_QUIET = re.compile(rb"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_CODE = re.compile(r"Code: (\d+)\.")


@dataclass
class Request:
    """A query as it came: text and data apart."""

    parameters: dict[str, str]
    sql: bytes
    data: bytes | None = None
    data_format: str = ""
    bound: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def has_several_statements(self) -> bool:
        quiet = _QUIET.sub(b" ", self.sql)
        return bool(quiet.partition(b";")[2].strip(b"; \t\r\n"))


def read_request(path: str, headers: Mapping[str, str], body: bytes) -> Request:
    parameters = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    content_type = headers.get("Content-Type", "")
    if content_type.startswith("multipart/form-data"):
        parameters.update(_form(content_type, body))
        body = b""
    encoding = headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        body = _UNPACK[encoding](body)
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
    authorization = headers.get("Authorization", "")
    if authorization.startswith("Basic "):
        user, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        return user, secret
    if "X-ClickHouse-User" in headers:
        return headers["X-ClickHouse-User"], headers.get("X-ClickHouse-Key", "")
    return parameters.get("user", "default"), parameters.get("password", "")


def pack(body: bytes, parameters: Mapping[str, str], headers: Mapping[str, str]) -> tuple[bytes, str | None]:
    """Compress an answer as the client accepts it, if it asked for compression."""
    if parameters.get("enable_http_compression") != "1":
        return body, None
    for accepted in headers.get("Accept-Encoding", "").replace(" ", "").split(","):
        name = accepted.partition(";")[0]
        if name in _PACK:
            return _PACK[name](body), name
    return body, None


def error_code(message: str) -> int:
    found = _CODE.search(message)
    return int(found.group(1)) if found else 1002


def http_status(code: int) -> int:
    """The status that ClickHouse gives with an error code."""
    if code in (194,):
        return 401
    if code in (192, 193, 497, 516):
        return 403
    if code in (60, 81, 111):
        return 404
    if code in (27, 36, 53, 62, 69, 70, 115, 396):
        return 400
    if code in (159, 209):
        return 408
    return 500


def _form(content_type: str, body: bytes) -> dict[str, str]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = part.get_payload(decode=True).decode()
    return fields
