"""Fingerprints of prompts: what is kept of a text so that the text need not be.

`prompt_hash` tells equal prompts, `prompt_simhash` near-equal ones. Both are part of the event's schema
(`schemas/api_call/README.md` has test vectors), so they may only change with its version.
"""

import hashlib
import re
from typing import Final

import numpy as np

#: Words of one shingle, and the words of a prompt that count; what follows would cost time and change few bits.
SHINGLE_WORDS: Final = 3
WORD_LIMIT: Final = 8192

# Scripts that put no blanks between words: every character is a word.
_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def prompt_hash(text: str) -> str:
    """SHA-256 of the text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def prompt_simhash(text: str) -> str | None:
    """64-bit simhash of the distinct word 3-shingles of `text`, 16 hexadecimal digits; None without a word.

    Words are runs of letters, digits and underscores, case folded; each is joined with the two after it by blanks (a
    text of fewer than three words is one shingle). A shingle's hash is BLAKE2b with 8 bytes of digest; a bit of
    the result is set where more than half of the shingles have it set.

    M. Charikar, Similarity Estimation Techniques from Rounding Algorithms, STOC 2002; G. Manku, A. Jain, A. Das Sarma,
    Detecting Near-Duplicates for Web Crawling, WWW 2007.
    """
    words = _words(text)
    if not words:
        return None
    last = max(1, len(words) - SHINGLE_WORDS + 1)
    shingles = {" ".join(words[start : start + SHINGLE_WORDS]) for start in range(last)}
    digests = b"".join(hashlib.blake2b(shingle.encode(), digest_size=8).digest() for shingle in shingles)
    bits = np.unpackbits(np.frombuffer(digests, np.uint8).reshape(-1, 8), axis=1)
    return np.packbits(2 * bits.sum(axis=0, dtype=np.int64) > len(shingles)).tobytes().hex()


def distance(one: str, other: str) -> int:
    """Bits in which two simhashes differ, 0 to 64."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _words(text: str) -> list[str]:
    words: list[str] = []
    for found in _WORD.finditer(text.casefold()):
        words.append(found[0])
        if len(words) == WORD_LIMIT:
            break
    return words
