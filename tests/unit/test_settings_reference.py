from pathlib import Path

from pipeline.settings.reference import reference


def test_the_reference_of_settings_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text() == reference(), "run: python -m pipeline.settings.reference > docs/settings.md"
