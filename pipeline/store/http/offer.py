"""The HTTP interface as the settings say."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.settings.sections import StoreSettings
from pipeline.store.client import Store
from pipeline.store.errors import StoreError
from pipeline.store.http.limits import HttpLimits
from pipeline.store.http.server import HttpInterface, serve


def serve_settings(
    store: Store, settings: StoreSettings, say: Callable[[str], None]
) -> AbstractContextManager[HttpInterface]:
    """Offer an embedded store that this process holds. Raises `StoreError` for a password file that cannot be read."""
    limits = HttpLimits(
        max_seconds=settings.http_max_seconds,
        max_rows=settings.http_max_rows,
        max_memory_bytes=settings.http_max_memory_bytes,
    )
    return serve(store, settings.http_port, limits=limits, password=http_password(settings), say=say)


def http_password(settings: StoreSettings) -> str:
    """What clients must give: of the file, else of the environment, else nothing."""
    if not settings.http_password_file:
        return os.environ.get("STILLWATCH_HTTP_PASSWORD", "")
    try:
        return Path(settings.http_password_file).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise StoreError(
            f"password file {settings.http_password_file} cannot be read: {reason}: mend store.http_password_file"
        ) from None
