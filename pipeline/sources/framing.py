"""Where one record ends and the next begins: lines, or JSON documents of any layout, in bounded memory."""

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

import msgspec

from pipeline.event import RAW_LIMIT, RejectReason


class Fault(msgspec.Struct, frozen=True):
    """Why a piece of input is not a record that can be decoded."""

    reason: RejectReason
    detail: str


#: The line a record starts on (from 1), its bytes (their start only where it is oversized), and what is wrong with it.
Piece = tuple[int, bytes, Fault | None]
#: Gives the next bytes, b"" at the end, as `Input.read` does.
Read = Callable[[], bytes]

#: Documents whose records are the elements of one array: CloudTrail's files, and OTLP's batches.
ENVELOPE: Final = re.compile(rb'\{\s*"(Records|resourceSpans|resourceLogs)"\s*:\s*\[')
_ENVELOPE_LOOK: Final = 512
_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
# All up to a bracket, or to a string whose end is not there yet. Nothing is tried twice: the quantifiers are possessive.
_CONTENT: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_STRING_STOP: Final = re.compile(rb'["\\]')
_BETWEEN: Final = b" \t\r\n,\x1e"  # x1e: JSON text sequences, RFC 7464
_OPENING: Final = b"{["
_QUOTE, _BACKSLASH = b'"'[0], b"\\"[0]


def lines(read: Read, limit: int) -> Iterator[Piece]:
    """The lines that are not blank; one longer than `limit` bytes comes with a fault and its first 64 KiB.

    A last line without a newline counts, unless `read` raises before the end: then it is broken, and dropped.
    """
    return chain.from_iterable(blocks_of_lines(read, limit))


def blocks_of_lines(read: Read, limit: int) -> Iterator[list[Piece]]:
    """The same, those together that end within one `read`."""
    number = 1
    rest = b""
    dropped = 0  # bytes of an over-long line that are gone beside its start in `rest`
    while data := read():
        if b"\n" not in data:
            rest += data
        else:
            block: list[Piece] = []
            first, *whole = data.split(b"\n")
            first, rest = rest + first, whole.pop()
            if dropped or len(first) > limit:
                block.append((number, first[:RAW_LIMIT], _oversized(dropped + len(first), limit)))
                dropped = 0
            elif first and not first.isspace():
                block.append((number, first, None))
            for line in whole:
                number += 1
                if len(line) > limit:
                    block.append((number, line[:RAW_LIMIT], _oversized(len(line), limit)))
                elif line and not line.isspace():
                    block.append((number, line, None))
            number += 1
            yield block
        if len(rest) > max(limit, RAW_LIMIT):
            dropped += len(rest) - RAW_LIMIT
            rest = rest[:RAW_LIMIT]
    if dropped or len(rest) > limit:
        yield [(number, rest[:RAW_LIMIT], _oversized(dropped + len(rest), limit))]
    elif rest and not rest.isspace():
        yield [(number, rest, None)]


def documents(read: Read, limit: int, document_limit: int) -> Iterator[Piece]:
    """The records of JSON documents: one after the other, over many lines or one, alone or in an array or an envelope.

    The elements of a top-level array and of CloudTrail's `Records` are records of at most `limit` bytes. OTLP batches
    and single objects may have `document_limit`. Text that is no JSON, and a document that does not end, come as faults.
    """
    return chain.from_iterable(blocks_of_documents(read, limit, document_limit))


def blocks_of_documents(read: Read, limit: int, document_limit: int) -> Iterator[list[Piece]]:
    """The same, those together that end within one `read`."""
    splitter = _Splitter(limit, document_limit)
    while data := read():
        yield list(splitter.feed(data))
    yield list(splitter.end())


def _oversized(size: int, limit: int) -> Fault:
    return Fault(RejectReason.OVERSIZED, f"{size} bytes, the limit is {limit}")


class _Splitter:
    """Follows brackets and strings, never values; holds the record that is open and nothing else."""

    def __init__(self, limit: int, document_limit: int) -> None:
        self._limits = (limit, document_limit)
        self._limit = document_limit
        self._buffer = bytearray()
        self._position = 0  # scanned up to here
        self._mark = 0  # start of the open record, or of what stands between records
        self._line = 1  # line of `_mark`
        self._depth = 0
        self._base = 0  # depth at which records start
        self._inside = True  # the array that holds the records is open
        self._open = False
        self._opened_on = 1  # line of the open record
        self._in_string = False
        self._size = 0  # bytes of the open record that are gone, its start being in `_head`
        self._head = b""
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take more bytes; give the records that are complete."""
        self._buffer += data
        yield from self._scan()
        self._forget()

    def end(self) -> Iterator[Piece]:
        """The input is at its end; give what was left open as faults."""
        self._ended = True
        yield from self._scan()
        if self._depth:
            raw = self._head or bytes(self._buffer[self._mark : self._mark + RAW_LIMIT])
            line = self._opened_on if self._open else self._line
            detail = "the document is not complete: its closing brackets are missing"
            yield line, raw if self._open else b"", Fault(RejectReason.MALFORMED_JSON, detail)
        else:
            yield from self._junk(len(self._buffer))

    def _scan(self) -> Iterator[Piece]:
        buffer = self._buffer
        while True:
            if self._in_string:
                found = _STRING_STOP.search(buffer, self._position)
                if found is None:
                    self._position = len(buffer)
                    return
                at = found.start()
                if buffer[at] == _BACKSLASH:
                    if at + 1 >= len(buffer):
                        self._position = at
                        return
                    self._position = at + 2
                else:
                    self._in_string = False
                    self._position = at + 1
                continue
            at = self._next_structure()
            if at == len(buffer):
                self._position = at
                return
            token = buffer[at]
            if token == _QUOTE:
                self._in_string = self._depth > 0
            elif token in _OPENING:
                if self._depth == 0:
                    if not self._ended and len(buffer) - at < _ENVELOPE_LOOK:
                        self._position = at
                        return
                    yield from self._junk(at)
                    self._begin_document(at)
                if self._depth == self._base and self._inside and not self._open:
                    self._advance(at)
                    self._open, self._opened_on = True, self._line
                self._depth += 1
            else:
                yield from self._close(at)
            self._position = at + 1

    def _next_structure(self) -> int:
        if self._depth:
            skipped = _CONTENT.match(self._buffer, self._position)
            return skipped.end() if skipped is not None else self._position
        found = _STRUCTURE.search(self._buffer, self._position)
        return found.start() if found is not None else len(self._buffer)

    def _begin_document(self, at: int) -> None:
        envelope = ENVELOPE.match(self._buffer, at)
        record_limit, document_limit = self._limits
        if envelope is not None:
            self._base = 2
            self._limit = record_limit if envelope[1] == b"Records" else document_limit
        elif self._buffer[at] == b"["[0]:
            self._base, self._limit = 1, record_limit
        else:
            self._base, self._limit = 0, document_limit
        self._inside = True
        self._advance(at)

    def _close(self, at: int) -> Iterator[Piece]:
        if self._depth == 0:
            return  # A stray bracket: part of what stands between documents.
        self._depth -= 1
        if self._open and self._depth == self._base:
            yield self._record(at + 1)
        elif self._depth < self._base:
            # What follows the array in its envelope is no record.
            self._inside = False
            self._advance(at + 1)

    def _record(self, end: int) -> Piece:
        self._open = False
        size = self._size + end - self._mark
        raw = self._head or bytes(self._buffer[self._mark : end])
        self._size, self._head = 0, b""
        self._advance(end)
        if size > self._limit:
            return self._opened_on, raw[:RAW_LIMIT], _oversized(size, self._limit)
        return self._opened_on, raw, None

    def _junk(self, end: int) -> Iterator[Piece]:
        raw = bytes(self._buffer[self._mark : end].strip(_BETWEEN))
        if raw or self._size:
            line = self._line
            yield line, raw[:RAW_LIMIT], Fault(RejectReason.MALFORMED_JSON, "text between JSON documents")
        self._size = 0
        self._advance(end)

    def _advance(self, to: int) -> None:
        self._line += self._buffer.count(b"\n", self._mark, to)
        self._mark = to

    def _forget(self) -> None:
        # Keep the open record; of one beyond its limit, its start.
        if self._open:
            held = len(self._buffer) - self._mark
            if self._size or held > max(self._limit, RAW_LIMIT):
                self._head = self._head or bytes(self._buffer[self._mark : self._mark + RAW_LIMIT])
                self._drop_to_position()
        elif self._depth or len(self._buffer) - self._mark > RAW_LIMIT:
            self._drop_to_position()
        if self._mark:
            del self._buffer[: self._mark]
            self._position -= self._mark
            self._mark = 0

    def _drop_to_position(self) -> None:
        gone = self._buffer[self._mark : self._position]
        if self._open or (not self._depth and gone.strip(_BETWEEN)):
            self._size += len(gone)
        self._advance(self._position)
