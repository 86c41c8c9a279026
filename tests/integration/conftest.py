"""What tests of commands share."""

import sys
from pathlib import Path

import pytest
from store_support import Run

from pipeline.command_line import build_app
from pipeline.command_line.run import run


@pytest.fixture
def stillwatch(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a store in `tmp_path`; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(build_app(), arguments)
        sys.stdout.flush()
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return command
