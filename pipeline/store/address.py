"""Where the store is: `chdb:FOLDER`, or a ClickHouse server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.store.errors import StoreAddressError

DEFAULT_DATABASE = "stillwatch"
HTTP_PORT, HTTPS_PORT = 8123, 8443
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FORMS = "chdb:FOLDER, clickhouse://user@host:8123/stillwatch or clickhouses:// with TLS"


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A parsed address; never holds a password, so it may be logged."""

    folder: Path | None
    """The embedded store's folder; None for a server."""
    host: str = ""
    port: int = 0
    user: str = "default"
    database: str = DEFAULT_DATABASE
    tls: bool = False
    held_folder: Path | None = None
    """Folder of the embedded store that this is, where another process holds it and answers at host and port."""

    @property
    def embedded(self) -> bool:
        """Whether this is chDB in a folder."""
        return self.folder is not None

    def __str__(self) -> str:
        if self.folder is not None:
            return f"chdb:{self.folder}"
        if self.held_folder is not None:
            return f"chdb:{self.held_folder} (through its holder at http://{self.host}:{self.port})"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'clickhouses' if self.tls else 'clickhouse'}://{self.user}@{host}:{self.port}/{self.database}"


def parse_address(text: str) -> StoreAddress:
    """Read an address; raises `StoreAddressError`.

    >>> str(parse_address("clickhouse://ch.example"))
    'clickhouse://default@ch.example:8123/stillwatch'
    """
    if text.startswith("chdb:"):
        folder = text[len("chdb:") :].removeprefix("//") if text.startswith("chdb:///") else text[len("chdb:") :]
        if not folder or "\0" in folder:
            raise StoreAddressError("store 'chdb:' names no folder: write chdb:FOLDER")
        return StoreAddress(Path(folder))
    scheme = text.partition("://")[0]
    if scheme not in ("clickhouse", "clickhouses") or "://" not in text:
        # A wrong address may hold a password anywhere, so nothing of it is shown.
        raise StoreAddressError(f"store address is none of: {_FORMS}")
    return _parse_server(text, scheme == "clickhouses")


def _parse_server(text: str, tls: bool) -> StoreAddress:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise StoreAddressError(f"store address: host or port cannot be read: write {_FORMS}") from None
    if parts.password is not None:
        raise StoreAddressError(
            "store address holds a password, which logs and process lists would show: take it out and set "
            "STILLWATCH_STORE_PASSWORD or store.password_file"
        )
    if not parts.hostname:
        raise StoreAddressError(f"store address names no host: write {_FORMS}")
    if parts.query or parts.fragment:
        raise StoreAddressError(f"store address has a query or a fragment, which mean nothing here: write {_FORMS}")
    database = unquote(parts.path.strip("/")) or DEFAULT_DATABASE
    if not _DATABASE.fullmatch(database):
        raise StoreAddressError(f"store address: database {database[:40]!r} is not letters, digits and underscores")
    return StoreAddress(
        None,
        host=parts.hostname,
        port=port if port is not None else (HTTPS_PORT if tls else HTTP_PORT),
        user=unquote(parts.username) if parts.username else "default",
        database=database,
        tls=tls,
    )


def password(environ: Mapping[str, str] | None = None, password_file: str = "") -> str:
    """The store's password: of `password_file`, else of the environment, else empty. Raises `StoreAddressError`."""
    names = os.environ if environ is None else environ
    file = password_file or names.get("STILLWATCH_STORE_PASSWORD_FILE", "")
    if file:
        try:
            return Path(file).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise StoreAddressError(
                f"password file {file} cannot be read: {reason}: mend store.password_file"
            ) from None
    return names.get("STILLWATCH_STORE_PASSWORD", "")
