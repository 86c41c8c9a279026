"""What can go wrong with the store; each text is one line: what, where, what to do."""

from __future__ import annotations

import re

_VERSION_TRAILER = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?[^()]*\)\.?")
_CODE_PREFIX = re.compile(r"^(Code: \d+\.\s*)+(DB::Exception: )?|^Received ClickHouse exception.*?server response: ")
_FOR_URL = re.compile(r"\s*\(for url \S+\)\s*$")

#: ClickHouse error codes after which the same statement may succeed later: time-outs, memory, too many parts or
#: queries, a replica or Keeper that is away, a table that is read-only for the time being, a server shutting down.
TRANSIENT_CODES = frozenset({3, 32, 159, 201, 202, 203, 209, 210, 225, 241, 242, 252, 319, 394, 425, 735, 999})
NOT_ENOUGH_SPACE = 243
READONLY = 164
UNKNOWN_DATABASE = 81
UNKNOWN_TABLE = 60
TIMEOUT_EXCEEDED = 159
TOO_MANY_ROWS = 396


class StoreError(Exception):
    """Something is wrong with the store; the text is one line."""


class StoreAddressError(StoreError, ValueError):
    """The address is not one of a store."""


class StoreHeldError(StoreError):
    """The embedded store's folder is held by another process."""


class StoreUnreachableError(StoreError):
    """The server does not answer, or answers that it cannot just now; trying again later may help."""


class QueryError(StoreError):
    """ClickHouse refused a statement; `code` is its error code (0 where unknown)."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code

    @property
    def transient(self) -> bool:
        """Whether the same statement may succeed later."""
        return self.code in TRANSIENT_CODES


class SchemaError(StoreError):
    """The store's schema and this program do not fit each other."""


def one_line(message: str, limit: int = 400) -> str:
    """ClickHouse's message without codes, version, addresses and line breaks, cut to `limit` characters."""
    text = _FOR_URL.sub("", " ".join(message.split()))
    text = _VERSION_TRAILER.sub("", text)
    previous = ""
    while text != previous:
        previous, text = text, _CODE_PREFIX.sub("", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
