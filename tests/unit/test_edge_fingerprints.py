"""The vectors for other languages, by the code and by the words of docs/edge.md."""

import hashlib
import json
import unicodedata

import pytest

from pipeline.sources.fingerprint import prompt_hash, prompt_simhash
from schemas import resource

VECTORS = json.loads(resource("api_call", "fingerprints.v1.json").read_text("utf-8"))
ALONE = [(0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF)]


def text_of(vector):
    return vector["text"] if "text" in vector else " ".join(str(number) for number in range(vector["numbers"]))


def simhash_as_documented(text):
    words, run = [], ""
    for character in text.casefold() + " ":
        counts = unicodedata.category(character)[0] in "LN" or character == "_"
        alone = counts and any(first <= ord(character) <= last for first, last in ALONE)
        if counts and not alone:
            run += character
            continue
        words += [run] if run else []
        run = ""
        words += [character] if alone else []
    words = words[:8192]
    shingles = {" ".join(words[start : start + 3]) for start in range(max(1, len(words) - 2))}
    hashes = [int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest(), "big") for one in shingles]
    bits = [sum(found >> place & 1 for found in hashes) * 2 > len(hashes) for place in range(64)]
    return f"{sum(bit << place for place, bit in enumerate(bits)):016x}" if words else None


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["case"])
def test_a_vector_holds(vector):
    text = text_of(vector)
    assert vector["prompt_hash"] == prompt_hash(text) == hashlib.sha256(text.encode()).hexdigest()
    assert vector["prompt_simhash"] == prompt_simhash(text) == simhash_as_documented(text)


def test_the_vectors_tell_normal_forms_apart_and_cover_what_has_no_simhash():
    texts = [text_of(vector) for vector in VECTORS]
    assert any(
        unicodedata.normalize("NFC", text) in texts and unicodedata.normalize("NFC", text) != text for text in texts
    )
    assert next(vector["text"] for vector in VECTORS if vector["prompt_simhash"] is None) == ""
