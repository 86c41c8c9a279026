"""The engine's state as bytes: version 2. Version 1, whose numbers were never reused, is read too.

`STWS`, one byte of version, then a Zstandard frame of a header (four bytes of length, little endian, and MessagePack) and
the arrays one after the other. Rows of fixed size are written byte by byte across all rows (byte shuffle, as in the Blosc
library), since the same byte of one field varies little from account to account. Nothing in it is code, and reading it runs none.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import numpy as np

from pipeline.state.saved import Array, EngineState, Part, Saved

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"STWS"
VERSION = 2
_READ = (1, VERSION)
#: Beyond level 3 states hardly become smaller.
_LEVEL = 3
_LENGTH_BYTES = 4


class StateError(Exception):
    """A state that cannot be read; one line."""


class _Layout(msgspec.Struct, array_like=True):
    """An array in the frame: its type, its shape, and its bytes; of objects the bytes of each."""

    dtype: Any
    shape: tuple[int, ...]
    size: int
    lengths: list[int] = []


class _Part(msgspec.Struct, array_like=True):
    name: str
    settings: str
    rows: _Layout | None
    shared: dict[str, _Layout]


class _Header(msgspec.Struct, array_like=True):
    partition: int
    first_new: int
    accounts: list[str]
    slots: _Layout
    parts: list[_Part]
    reused: list[int] = []
    reused_by: list[str] = []


def encode_state(state: EngineState) -> bytes:
    """The bytes of `state`."""
    bodies: list[bytes] = []

    def write(array: Array) -> _Layout:
        layout, body = _written(array)
        bodies.append(body)
        return layout

    header = _Header(
        state.partition,
        state.first_new,
        state.accounts,
        write(state.slots),
        [],
        state.reused.tolist(),
        state.reused_by,
    )
    for name, part in state.parts.items():
        rows = None if part.saved.rows is None else write(part.saved.rows)
        header.parts.append(
            _Part(name, part.settings, rows, {key: write(array) for key, array in part.saved.shared.items()})
        )
    head = msgspec.msgpack.encode(header)
    frame = zstd.compress(b"".join([len(head).to_bytes(_LENGTH_BYTES, "little"), head, *bodies]), level=_LEVEL)
    return MAGIC + bytes([VERSION]) + frame


def decode_state(data: bytes) -> EngineState:
    """The state that `encode_state` made `data` of. Raises `StateError` when it is damaged or of a newer program."""
    if data[:4] != MAGIC:
        raise StateError("no state of Stillwatch: it does not begin with STWS")
    if data[4] not in _READ:
        raise StateError(f"a state of version {data[4]}; this program reads version {VERSION} and older")
    try:
        frame = zstd.decompress(data[5:])
        begin = _LENGTH_BYTES + int.from_bytes(frame[:_LENGTH_BYTES], "little")
        header = msgspec.msgpack.decode(frame[_LENGTH_BYTES:begin], type=_Header)
        position = begin

        def read(layout: _Layout) -> Array:
            nonlocal position
            body = frame[position : position + layout.size]
            position += layout.size
            return _read(layout, body)

        slots = read(header.slots).astype(np.int64)
        parts = {}
        for one in header.parts:
            rows = None if one.rows is None else read(one.rows)
            parts[one.name] = Part(one.settings, Saved(rows, {key: read(at) for key, at in one.shared.items()}))
        if position != len(frame):
            raise ValueError("bytes are missing or left over")
    except (zstd.ZstdError, msgspec.MsgspecError, ValueError, TypeError, EOFError) as error:
        raise StateError(f"a damaged state: {error}") from error
    reused = np.array(header.reused, np.int64)
    return EngineState(header.partition, header.first_new, header.accounts, slots, parts, reused, header.reused_by)


def _written(array: Array) -> tuple[_Layout, bytes]:
    if array.dtype.hasobject:
        values = [bytes(value) for value in array.tolist()]
        body = b"".join(values)
        return _Layout("bytes", array.shape, len(body), [len(value) for value in values]), body
    rows = np.ascontiguousarray(array)
    body = rows.tobytes()
    if rows.size:
        body = np.frombuffer(body, np.uint8).reshape(rows.shape[0], -1).T.tobytes()
    return _Layout(np.lib.format.dtype_to_descr(array.dtype), array.shape, len(body)), body


def _read(layout: _Layout, body: bytes) -> Array:
    if layout.dtype == "bytes":
        array = np.empty(layout.shape, object)
        position = 0
        for index, length in enumerate(layout.lengths):
            array[index] = body[position : position + length]
            position += length
        return array
    dtype = dtype_of(layout.dtype)
    if body:
        body = np.frombuffer(body, np.uint8).reshape(-1, layout.shape[0]).T.tobytes()
    return np.frombuffer(body, dtype).reshape(layout.shape).copy()


def dtype_of(plain: Any) -> np.dtype[Any]:
    """The type that `numpy.lib.format.dtype_to_descr` described, after the way through MessagePack or JSON."""
    return np.lib.format.descr_to_dtype(_descr(plain))


def _descr(plain: Any) -> Any:
    # Neither knows tuples, and numpy wants fields and shapes to be such.
    if isinstance(plain, str):
        return plain
    return [
        (field[0], _descr(field[1])) if len(field) == 2 else (field[0], _descr(field[1]), tuple(field[2]))
        for field in plain
    ]
