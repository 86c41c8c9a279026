"""Inputs as streams of bytes: files or standard input, plain, gzip or Zstandard, told apart by their first bytes."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, cast

from pipeline.sources.options import SourceError

if sys.version_info >= (3, 14):  # pragma: no cover - which branch runs depends on the Python version
    from compression import zstd
else:
    from backports import zstd

STANDARD_INPUT: Final = "-"
CHUNK: Final = 1 << 18
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: What marks a file that is neither text nor compressed in a way that is read here.
_FOREIGN: Final = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\xfd7zXZ": "compressed by xz: decompress it first",
    b"BZh": "compressed by bzip2: decompress it first",
    b"PAR1": "Parquet: convert it to JSON lines first",
    b"Obj\x01": "an Avro file: convert it to JSON lines first",
    b"\xff\xfe": "UTF-16: convert it to UTF-8 first",
    b"\xfe\xff": "UTF-16: convert it to UTF-8 first",
}


class UnreadableError(Exception):
    """An input broke off or is damaged; the text says how. What was read before is good."""


class _Reads(Protocol):
    def read1(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


def check_paths(paths: Sequence[str]) -> None:
    """Raise SourceError for the first path that is no readable file, before anything is read."""
    for path in paths:
        if path == STANDARD_INPUT:
            continue
        file = Path(path)
        try:
            if file.is_dir():
                raise SourceError(f"{path}: is a folder, give the files in it")
            file.open("rb").close()
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror or error}), check the path") from error


class Input:
    """One input, decompressed while it is read; `read` waits only for what is not there yet, so a pipe flows."""

    def __init__(self, path: str, progress: Callable[[int], None] | None = None) -> None:
        source = sys.stdin.buffer if path == STANDARD_INPUT else Path(path).open("rb")  # noqa: SIM115
        self._close_source = path != STANDARD_INPUT
        self._source = source
        counted = _Counted(cast(_Reads, source), progress)
        start = counted.start
        self._ahead = b""
        self._ended = False
        self._failure: UnreadableError | None = None
        self.foreign = next((what for magic, what in _FOREIGN.items() if start.startswith(magic)), None)
        self._reads: _Reads
        if start.startswith(_GZIP):
            self._reads = gzip.GzipFile(fileobj=cast(io.BufferedReader, counted))
        elif start.startswith(_ZSTD):
            self._reads = cast(_Reads, zstd.ZstdFile(cast(io.BufferedReader, counted)))
        else:
            self._reads = counted

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._close_source:
            self._source.close()

    def read(self) -> bytes:
        """The next bytes, b"" at the end; UnreadableError where the input breaks off."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        return self._next()

    def look_ahead(self, enough: Callable[[bytes], bool]) -> bytes:
        """The first bytes, which stay to be read, until there is `enough` or the input ends or breaks off."""
        while not self._ended and not enough(self._ahead):
            try:
                more = self._next()
            except UnreadableError as error:
                self._failure = error  # for `read`, after these bytes
                break
            if not more:
                break
            self._ahead += more
        return self._ahead

    def _next(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        if self._ended:
            return b""
        try:
            data = self._reads.read1(CHUNK)
        except EOFError as error:
            raise UnreadableError("the compressed data breaks off before its end") from error
        except (gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
            raise UnreadableError(f"the compressed data is damaged: {error}") from error
        except OSError as error:
            raise UnreadableError(f"reading failed: {error.strerror or error}") from error
        self._ended = not data
        return data


class _Counted(io.RawIOBase):
    """The compressed bytes: tells `progress` of every read, and knows the first four without losing them."""

    def __init__(self, source: _Reads, progress: Callable[[int], None] | None) -> None:
        super().__init__()
        self._source = source
        self._progress = progress
        self.start = b""
        while len(self.start) < 8:
            more = self._fetch(CHUNK)
            if not more:
                break
            self.start += more
        self._waiting = self.start

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill `buffer` with what is there."""
        view = memoryview(cast(bytearray, buffer))
        data = self.read1(len(view))
        view[: len(data)] = data
        return len(data)

    def read1(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, from one read of the source."""
        size = size if size >= 0 else CHUNK
        if self._waiting:
            data, self._waiting = self._waiting[:size], self._waiting[size:]
            return data
        return self._fetch(size)

    def _fetch(self, size: int) -> bytes:
        data = self._source.read1(size)
        if data and self._progress is not None:
            self._progress(len(data))
        return data
