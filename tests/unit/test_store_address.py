from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.address import parse_address, password
from pipeline.store.errors import StoreAddressError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chdb:.stillwatch/store", "chdb:.stillwatch/store"),
        ("chdb:/var/lib/x", "chdb:/var/lib/x"),
        ("chdb:///var/lib/x", "chdb:/var/lib/x"),
        ("clickhouse://ch", "clickhouse://default@ch:8123/stillwatch"),
        ("clickhouse://ann@ch:9000/other", "clickhouse://ann@ch:9000/other"),
        ("clickhouses://ann@ch/", "clickhouses://ann@ch:8443/stillwatch"),
        ("clickhouse://a%40b@[::1]:8123/s", "clickhouse://a@b@[::1]:8123/s"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert str(parse_address(text)) == shown
    assert parse_address(text).embedded == text.startswith("chdb:")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "none of"),
        ("chdb:", "names no folder"),
        ("postgres://x", "none of"),
        ("clickhouse:", "none of"),
        ("clickhouse://", "names no host"),
        ("clickhouse://ch:port", "port cannot be read"),
        ("clickhouse://ch:99999", "port cannot be read"),
        ("clickhouse://ch/a-b;drop", "is not letters"),
        ("clickhouse://ch/s?readonly=0", "a query"),
    ],
)
def test_wrong_addresses_are_one_line(text: str, says: str) -> None:
    with pytest.raises(StoreAddressError, match=says) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["clickhouse://ann:hunter2@ch", "http://ann:hunter2@ch", "ann:hunter2@ch", "clickhouse://ann:hunter2@ch:x"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(StoreAddressError) as caught:
        parse_address(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for candidate in (text, "clickhouse://" + text, "chdb:" + text):
        with suppress(StoreAddressError):
            assert parse_address(candidate).database.isidentifier()


def test_the_password_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of the file\n")
    assert password({}) == ""
    assert password({"STILLWATCH_STORE_PASSWORD": "of the environment"}) == "of the environment"
    assert password({"STILLWATCH_STORE_PASSWORD_FILE": str(file), "STILLWATCH_STORE_PASSWORD": "x"}) == "of the file"
    assert password({}, str(file)) == "of the file"
    with pytest.raises(StoreAddressError, match="cannot be read: No such file"):
        password({}, str(tmp_path / "none"))
