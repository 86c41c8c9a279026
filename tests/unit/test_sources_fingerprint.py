import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.fingerprint import WORD_LIMIT, distance, prompt_hash, prompt_simhash

README = Path(__file__).parents[2] / "schemas" / "api_call" / "README.md"
VECTORS = re.findall(r"^\| (.+?) \| `([0-9a-f]{16})` \|$", README.read_text("utf-8"), re.MULTILINE)


def test_the_schema_documents_vectors():
    assert len(VECTORS) >= 5


@pytest.mark.parametrize(("text", "simhash"), VECTORS)
def test_simhash_is_the_documented_one(text, simhash):
    assert prompt_simhash(text) == simhash


def test_prompt_hash_is_sha256_of_utf8():
    assert prompt_hash("Hello") == "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969"


def test_no_words_no_simhash():
    assert prompt_simhash("") is None
    assert prompt_simhash("... !?") is None


def test_near_equal_prompts_are_nearer_than_unrelated_ones():
    sentence = "Summarise the following article in five bullet points for a busy reader and keep every number exact. "
    one = prompt_simhash(sentence * 1 + "The article is about tidal power in Wales.")
    near = prompt_simhash(sentence * 1 + "The article is about tidal power in France.")
    far = prompt_simhash(
        "Write a limerick in which a lighthouse keeper misplaces his spectacles during a storm at sea."
    )
    assert distance(one, near) < 16 < distance(one, far)


def test_words_beyond_the_limit_do_not_count():
    text = " ".join(f"word{index}" for index in range(WORD_LIMIT))
    assert prompt_simhash(text + " and more") == prompt_simhash(text)


@given(st.text())
def test_case_and_spacing_do_not_count(text):
    simhash = prompt_simhash(text)
    assert simhash is None or re.fullmatch("[0-9a-f]{16}", simhash)
    assert prompt_simhash(f"  {text}\n") == simhash
