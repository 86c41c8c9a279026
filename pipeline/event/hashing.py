"""64-bit hashes of text columns: the same on every machine and in every process, 0 for what is absent."""

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


def hash_texts(texts: Sequence[str | None]) -> NDArray[np.uint64]:
    """Hash each text (UTF-8; FNV-1a, then murmur3's final mix); None becomes 0, a text never does."""
    encoded = [b"" if text is None else text.encode() for text in texts]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    hashes = _hash_slices(np.frombuffer(b"".join(encoded), np.uint8), lengths)
    absent = [index for index, text in enumerate(texts) if text is None]
    hashes[absent] = 0
    return hashes


def hash_repeated(texts: Sequence[str | None]) -> NDArray[np.uint64]:
    """The same of texts that are few but come often: each is hashed once."""
    few = dict.fromkeys(texts)
    hashes = dict(zip(few, hash_texts(list(few)).tolist(), strict=True))
    return np.fromiter(map(hashes.__getitem__, texts), np.uint64, len(texts))


def hash_slices(data: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The same of texts in UTF-8 that lie one after the other in `data`."""
    hashes: NDArray[np.uint64] = _hash_slices(data, lengths)
    return hashes


@numba.njit(cache=True)
def mix(value: np.uint64) -> np.uint64:  # pragma: no cover - compiled
    """Murmur3's 64-bit finaliser: every input bit moves every output bit."""
    value ^= value >> _SHIFT
    value *= _MIX_1
    value ^= value >> _SHIFT
    value *= _MIX_2
    value ^= value >> _SHIFT
    return value


@numba.njit(cache=True)
def hash_pairs(
    first: NDArray[np.uint64], second: NDArray[np.uint64]
) -> NDArray[np.uint64]:  # pragma: no cover - compiled
    """One hash of each two, in this order; never 0."""
    out = np.empty(first.size, np.uint64)
    for i in range(first.size):
        value = mix(first[i] * _PRIME ^ second[i])
        out[i] = value if value != 0 else np.uint64(1)
    return out


@numba.njit(cache=True)
def _hash_slices(
    data: NDArray[np.uint8], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:  # pragma: no cover - compiled
    out = np.empty(lengths.size, np.uint64)
    start = 0
    for i in range(lengths.size):
        h = _BASIS
        for j in range(start, start + lengths[i]):
            h = (h ^ np.uint64(data[j])) * _PRIME
        start += lengths[i]
        h = mix(h)
        out[i] = h if h != 0 else np.uint64(1)
    return out
