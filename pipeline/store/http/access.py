"""Who is let in to the HTTP interface: programs on this machine, no pages in a browser; and the token of the store's owner."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from pipeline.store.errors import StoreError

TOKEN_FILE = "stillwatch.token"
#: The user that the token is of: who can read the file in the store's folder may also write labels and the like.
OWNER = "owner"
_LOOPBACK_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)


def from_a_page(headers: Mapping[str, str]) -> str:
    """Why a request looks like one that a web page makes a browser send; empty when it does not.

    A page of another site can reach loopback, also under a name of its own that it lets point there (DNS rebinding).
    """
    host = headers.get("Host") or ""
    if not _LOOPBACK_HOST.fullmatch(host):
        return "the Host is not this machine"
    origin = headers.get("Origin")
    if origin and origin.rpartition("://")[2].lower() != host.lower():
        return "the Origin is another"
    if (headers.get("Sec-Fetch-Site") or "none") not in ("none", "same-origin"):
        return "it comes from another site"
    return ""


def write_token(folder: Path) -> str:
    """A new token, in a file of `folder` that its owner alone can read. Raises `StoreError`."""
    token = secrets.token_urlsafe(32)
    path = folder / TOKEN_FILE
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)
    except OSError as error:
        raise StoreError(f"store {folder}: {error.strerror or error}: free space or make it writable") from None
    return token


def read_token(folder: Path) -> str:
    """The token of the store in `folder`; empty when it is not there or not for this user to read."""
    try:
        return (folder / TOKEN_FILE).read_text()
    except OSError:
        return ""


def same(secret: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing of them."""
    return hmac.compare_digest(secret.encode(), other.encode())
