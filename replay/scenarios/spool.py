"""A simulation of any size: its calls wait on disk, a file for each day, so that one day at a time is in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.event import ApiCall
from pipeline.store.records import Label
from replay.scenarios.rows import ROW, Rows, Sender, by_day, calls_of, rows_of, sender_of
from replay.scenarios.simulation import Part

#: Rows kept back until they are written.
_KEPT = 1_000_000


class Spool:
    """The calls and labels of a simulation that was spooled; usable as long as its folder is."""

    def __init__(self, folder: Path, parts: Iterable[Part]) -> None:
        self.labels: list[Label] = []
        self._folder = folder
        self._senders: list[Sender] = []
        self._days: dict[int, list[Rows]] = {}
        kept = 0
        for part in parts:
            self.labels.extend(part.labels)
            for stream in part.streams:
                for day, rows in by_day(rows_of(stream, len(self._senders))):
                    self._days.setdefault(day, []).append(rows)
                kept += stream.times.size
                self._senders.append(sender_of(stream))
            if kept > _KEPT:
                self._write()
                kept = 0
        self._write()

    def calls(self) -> Iterator[ApiCall]:
        """The calls by time; at one time in the order of the streams."""
        for day in sorted(self._days):
            yield from calls_of(np.fromfile(self._file(day), ROW), self._senders)

    def _write(self) -> None:
        for day, parts in self._days.items():
            with self._file(day).open("ab") as file:
                for rows in parts:
                    file.write(rows.tobytes())
            parts.clear()

    def _file(self, day: int) -> Path:
        return self._folder / f"day-{day}.rows"


@contextmanager
def spooled(parts: Iterable[Part]) -> Iterator[Spool]:
    """Make the parts, one after the other, into a temporary folder of about 100 bytes a call."""
    with TemporaryDirectory(prefix="stillwatch-simulate-") as folder:
        yield Spool(Path(folder), parts)
