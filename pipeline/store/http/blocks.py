"""ClickHouse's own compressed blocks, as `compress=1` asks for them.

A block is the CityHash128 (version 1.0.2) of what follows, the method, the size of the rest with this header, the size of the
data, and the data; the files of tables are made of the same blocks.
"""

from __future__ import annotations

import struct

import lz4.block
from clickhouse_cityhash.cityhash import CityHash128

_LZ4 = 0x82
_HEADER = struct.Struct("<BII")
_CHECKSUM = struct.Struct("<QQ")
_LOW = (1 << 64) - 1
#: Bytes of data in a block, as ClickHouse's own.
BLOCK = 1 << 20


def in_blocks(body: bytes) -> bytes:
    """`body` as LZ4 blocks; nothing for nothing."""
    return b"".join(_block(body[start : start + BLOCK]) for start in range(0, len(body), BLOCK))


def _block(data: bytes) -> bytes:
    packed: bytes = lz4.block.compress(data, store_size=False)
    block = _HEADER.pack(_LZ4, _HEADER.size + len(packed), len(data)) + packed
    checksum: int = CityHash128(block)
    return _CHECKSUM.pack(checksum >> 64, checksum & _LOW) + block
