"""Sessions end, attempts are few, tokens are compared whole."""

import pytest

from pipeline.command_line.console import token_given
from pipeline.command_line.errors import Failure
from pipeline.console.sign_in import ATTEMPTS, ATTEMPTS_WITHIN_S, SignIn, TooManyAttemptsError, new_token, same


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_only_the_whole_token_signs_in():
    sign_in = SignIn("a-token", Clock())
    assert sign_in.is_token("a-token", "here")
    for number, wrong in enumerate(("", "a-toke", "a-token ", "A-TOKEN", "a-token\udcff")):
        assert not sign_in.is_token(wrong, f"place {number}")
    assert new_token() != new_token()
    assert len(new_token()) >= 43


def test_an_address_has_few_attempts_and_others_have_theirs():
    clock = Clock()
    sign_in = SignIn("a-token", clock)
    for _ in range(ATTEMPTS):
        assert not sign_in.is_token("wrong", "here")
    with pytest.raises(TooManyAttemptsError) as caught:
        sign_in.is_token("a-token", "here")
    assert caught.value.wait_s == ATTEMPTS_WITHIN_S
    assert sign_in.is_token("a-token", "elsewhere")
    clock.now += ATTEMPTS_WITHIN_S
    assert sign_in.is_token("a-token", "here")


def test_what_is_remembered_of_addresses_and_sessions_is_bounded():
    sign_in = SignIn("a-token", Clock())
    for number in range(3000):
        sign_in.is_token("wrong", f"address {number}")
        sign_in.begin()
    assert len(sign_in._wrong) <= 1024
    assert len(sign_in._sessions) <= 256


def test_a_session_ends_with_time_and_by_signing_out():
    clock = Clock()
    sign_in = SignIn("a-token", clock, session_s=60)
    secret, session = sign_in.begin()
    other, _ = sign_in.begin()
    assert sign_in.session(secret) == session
    assert sign_in.session(session.csrf) is None
    assert sign_in.session(None) is None
    sign_in.end(other)
    assert sign_in.session(other) is None
    clock.now += 60
    assert sign_in.session(secret) is None


def test_secrets_are_compared_whole():
    assert same("abc", "abc")
    assert not same("", "abc")
    assert not same("abcd", "abc")
    assert not same("\udcff", "abc")


def test_a_token_comes_from_a_file_or_the_environment_and_is_long_enough(tmp_path):
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    assert token_given(file, {}) == "0123456789abcdef"
    assert token_given(None, {"STILLWATCH_CONSOLE_TOKEN": "fedcba9876543210"}) == "fedcba9876543210"
    assert token_given(None, {}) == ""
    with pytest.raises(Failure, match="less than 16"):
        token_given(None, {"STILLWATCH_CONSOLE_TOKEN": "short"})
    with pytest.raises(Failure, match="cannot be read"):
        token_given(tmp_path / "none", {})
    file.write_bytes(b"\xff" * 20)
    with pytest.raises(Failure, match="not text"):
        token_given(file, {})
