import signal
from pathlib import Path

import pytest

from replay.command_line.stopping import sigterm_interrupts
from replay.demo import Place
from replay.errors import ReplayError


def test_only_an_earlier_demo_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ReplayError, match="--folder"):
        Place(tmp_path).clear()
    assert (tmp_path / "thesis.txt").exists()
    place = Place(tmp_path / "demo")
    place.clear()
    place.events.write_text("{}")
    place.labels.write_text("old")
    place.clear()
    assert list(place.folder.iterdir()) == []


def test_a_file_is_no_folder_for_the_demo(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReplayError, match="is no folder"):
        Place(tmp_path / "file").clear()


def test_sigterm_interrupts_like_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
