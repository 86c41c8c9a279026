from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.command_line.show import cell, print_json, print_table
from pipeline.event.harmless import LONGEST, harmless

HOSTILE = [
    "<script>alert(1)</script>",
    "[red]x[/red]",
    "[/",
    "\x1b[2J\x07",
    "a\u202eb",
    "a\nb\rc",
    "\u200b",
    "'; --",
    "x" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_print_as_plain_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(text, [text], [[text], [None]])
    shown = capsys.readouterr().out
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert len(max(shown.splitlines(), key=len)) < 200
    if len(text) < 60 and text.isprintable():
        assert shown.count(text) == 3


@given(st.text())
def test_harmless_text_is_printable_and_short(text: str) -> None:
    assert harmless(text).isprintable()
    assert len(harmless(text)) <= LONGEST
    if text.isprintable() and len(text) <= LONGEST:
        assert harmless(text) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.99980004, "0.9998"),
        (0.0, "0"),
        (123456.7, "1.235e+05"),
        (datetime(2024, 12, 1, 8, 0, 0, 999, UTC), "2024-12-01 08:00:00"),
        (date(2024, 12, 1), "2024-12-01"),
        (["a", "b\n"], "a, b\\n"),
    ],
)
def test_cells(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_json_has_times_with_zone(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": datetime(2024, 12, 1, tzinfo=UTC), "name": "\x1b[2J"})
    shown = capsys.readouterr().out
    assert '"2024-12-01T00:00:00Z"' in shown
    assert "\x1b" not in shown
