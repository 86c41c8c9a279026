"""The worker's log on standard error: lines for people, or JSON objects for what gathers logs. Never the content of events."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

LogFormat: TypeAlias = Literal["text", "json"]
#: Faust and aiokafka tell each step of a rebalance; what matters of it is said by this program itself.
QUIET_LOGGERS = {
    "faust": logging.ERROR,
    "mode": logging.ERROR,
    "aiokafka": logging.CRITICAL,
    "kafka": logging.CRITICAL,
    "asyncio": logging.CRITICAL,
    # The loggers of Faust's services that are subclassed here.
    "pipeline.stream.app": logging.WARNING,
    "pipeline.stream.fetch": logging.WARNING,
    "pipeline.stream.transport": logging.WARNING,
}
#: Characters of a message, and of an error, that a JSON line holds: an error of a library can quote what it was given.
LONGEST = 2_000


def set_up_logging(log_format: LogFormat, debug: bool = False) -> None:
    """Send every logger's records to standard error in this format; with `debug` all of them, with tracebacks."""
    handler = logging.StreamHandler()
    if log_format == "json":
        handler.setFormatter(JsonLines(tracebacks=debug))
    elif debug:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    else:
        handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler], force=True)
    if not debug:
        for name, level in QUIET_LOGGERS.items():
            logging.getLogger(name).setLevel(level)


def speaker(log_format: LogFormat) -> Callable[[str], None]:
    """What tells people of the worker's own steps, in the same format."""
    if log_format == "json":
        return logging.getLogger("stillwatch").info
    return lambda line: print(f"stillwatch: {line}", file=sys.stderr, flush=True)


class OneLine(logging.Formatter):
    """Records without tracebacks, one line each."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]!r}"
        return f"stillwatch: {' '.join(text.split())}"


class JsonLines(logging.Formatter):
    """A record as one JSON object on one line: time (UTC), level, logger, message, and error where there is one."""

    def __init__(self, tracebacks: bool = False) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """The object as text."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:LONGEST],
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields["error"] = f"{type(error).__name__}: {error}"[:LONGEST]
            if self._tracebacks:
                fields["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode({name: _sound(text) for name, text in fields.items()}).decode()


def _sound(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates, as of file names, become question marks."""
    return text.encode("utf-8", "replace").decode()
