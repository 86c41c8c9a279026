"""From what clickhouse-connect, chDB and the network raise to the store's own errors."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from pipeline.store.address import StoreAddress
from pipeline.store.errors import NOT_ENOUGH_SPACE, QueryError, StoreError, StoreUnreachableError, one_line
from pipeline.store.held import held_error

_AUTHENTICATION_CODES = frozenset({192, 193, 194, 516})
_HTTP_STATUS = re.compile(r"HTTP status (\d+)")
#: Of a file system: quota, read-only, broken, a limit of the process.
_UNWRITABLE = frozenset({errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})
_MAKE_WRITABLE = "look after disk, quota and limits, then start again; nothing that was acknowledged is lost"
_NO_SPACE = "disk is full: free space, then start again; nothing that was acknowledged is lost"


def translated(error: Exception, address: StoreAddress) -> StoreError:
    """The store's error for `error`, one line that says what, where, and what to do."""
    from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

    if isinstance(error, StoreError):
        return error
    text = str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return StoreError(f"store {address}: {_NO_SPACE}")
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return StoreError(f"store {address} cannot be written ({error.strerror}): {_MAKE_WRITABLE}")
    if address.folder is not None and "chdb engine at" in text:
        return _unopened(text, address)
    if not isinstance(error, ClickHouseError):
        return _unanswered(error, address)
    code = getattr(error, "code", None) or 0
    if code in _AUTHENTICATION_CODES and address.held_folder is not None:
        return StoreError(f"store {address} asks for a password: set STILLWATCH_HTTP_PASSWORD, or ask as its owner")
    if code in _AUTHENTICATION_CODES:
        return StoreError(
            f"store {address} refuses the user {address.user}: set STILLWATCH_STORE_PASSWORD or store.password_file, "
            "or another user in the address"
        )
    if code == NOT_ENOUGH_SPACE:
        return QueryError(f"store {address}: {_NO_SPACE}", code)
    if not code and not address.embedded:
        status = _HTTP_STATUS.search(text)
        if status:
            return StoreUnreachableError(
                f"store {address} answers HTTP status {status.group(1)}: check that ClickHouse's HTTP port is there"
            )
        if isinstance(error, OperationalError):
            return _unanswered(error, address)
    return QueryError(f"ClickHouse: {one_line(text)}", code)


def _unopened(text: str, address: StoreAddress) -> StoreError:
    assert address.folder is not None
    if "Error initializing EmbeddedServer" in text or "Cannot lock file" in text:
        return held_error(address.folder)
    return StoreError(f"store {address} cannot be opened: {one_line(text)}: check the folder and its free space")


def _unanswered(error: BaseException, address: StoreAddress) -> StoreError:
    return StoreUnreachableError(
        f"store {address} does not answer ({_reason(error)}): start ClickHouse or mend --store"
    )


def _reason(error: BaseException) -> str:
    """The innermost cause that says something: an OSError's text, else the error's kind."""
    kind = type(error).__name__
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        name = type(cause).__name__
        if name in ("ReadTimeoutError", "ConnectTimeoutError", "TimeoutError"):
            return "timed out"
        if name in ("NameResolutionError", "RemoteDisconnected", "ProtocolError", "SSLError"):
            kind = name
    return kind


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        reason = getattr(current, "reason", None)
        current = reason if isinstance(reason, BaseException) else current.__cause__ or current.__context__
