"""A simulation as files: events as JSON lines, labels as CSV. One seed gives one file, byte for byte."""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from pipeline.event import ApiCall, encode
from pipeline.store.records import Label
from replay.truth import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Events between two writes.
_CHUNK = 5_000


def write_events(calls: Iterable[ApiCall], path: str, progress: Callable[[int], None] | None = None) -> int:
    """Write the calls to `path` (.gz and .zst compress; - is standard output); their number.

    `progress` gets the number of events written since it was called last.
    """
    written = 0
    lines: list[bytes] = []
    with _opened(path) as stream:
        for call in calls:
            lines.append(encode(call))
            if len(lines) >= _CHUNK:
                written += _write(stream, lines, progress)
        written += _write(stream, lines, progress)
    return written


def write_labels(labels: Sequence[Label], path: Path) -> None:
    """Write the labels with the columns of the table `labels`, by account and start."""
    rows = sorted(labels, key=lambda label: (label.account_id, label.start, label.kind))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for label in rows:
            start, end = _time(label.start), _time(label.end)
            writer.writerow([label.account_id, start, end, label.kind, label.campaign_id, label.source, label.note])


def _write(stream: IO[bytes], lines: list[bytes], progress: Callable[[int], None] | None) -> int:
    count = len(lines)
    if count:
        stream.write(b"\n".join(lines) + b"\n")
        lines.clear()
        if progress is not None:
            progress(count)
    return count


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with Path(path).open("wb") as file:
        if path.endswith(".gz"):
            # Neither time nor name go into the file, so that equal events are equal bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as stream:
                yield cast(IO[bytes], stream)
        elif path.endswith(".zst"):
            from backports import zstd

            with zstd.ZstdFile(file, "wb") as stream:
                yield cast(IO[bytes], stream)
        else:
            yield file


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
