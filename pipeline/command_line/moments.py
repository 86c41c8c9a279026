"""Times as commands take and tell them."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.command_line.errors import Misuse
from pipeline.event.harmless import harmless


def moment(text: str | None, option: str) -> int | None:
    """Epoch milliseconds of RFC 3339 or a date, UTC where no zone is given; None for None. Raises `Misuse`."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(f"{option} {harmless(text)!r} is not a time: write 2024-12-01 or 2024-12-01T08:00:00Z") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return int(found.timestamp() * 1000)


def told(milliseconds: int) -> str:
    """Epoch milliseconds as RFC 3339."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
