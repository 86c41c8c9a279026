"""Exit codes and one-line errors, as whoever calls the program sees them."""

from __future__ import annotations

import pytest
from cyclopts import App

from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import pairs
from pipeline.command_line.run import run
from pipeline.settings import SettingsError
from replay.command_line import COMMANDS, REPLAY_COMMANDS, build_full_app


class OddError(Exception):
    """Of no package of ours."""


def app_that_raises(error: BaseException | None) -> App:
    app = App(suppress_keyboard_interrupt=False)

    @app.command
    def act() -> int:
        if error is not None:
            raise error
        return 0

    return app


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (None, 0, ""),
        (Failure("the broker\nis away"), 1, "stillwatch: the broker is away\n"),
        (Misuse("--limit 0: must be 1 or more"), 2, "stillwatch: --limit 0: must be 1 or more\n"),
        (SettingsError(["a: wrong", "b: wrong"]), 2, "stillwatch: a: wrong\nstillwatch: b: wrong\n"),
        (KeyboardInterrupt(), 1, "stillwatch: stopped\n"),
        (OddError("it\nbroke"), 1, "stillwatch: unexpected OddError: it broke; run again with --debug\n"),
    ],
)
def test_each_ending_has_its_code_and_its_line(
    error: BaseException | None, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app_that_raises(error), ["act"]) == code
    assert capsys.readouterr().err == told


def test_a_traceback_only_with_debug() -> None:
    with pytest.raises(OddError):
        run(app_that_raises(OddError("x")), ["act", "--debug"])


@pytest.mark.parametrize("arguments", [["nothing"], ["top", "--limit", "x"], ["replay", "run"], ["top", "--no-such"]])
def test_wrong_use_is_told_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build_full_app(), arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("stillwatch: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), *(["replay", name] for name in REPLAY_COMMANDS)])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build_full_app(), [*command, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_pairs() -> None:
    assert pairs(["a.b=1", "c=x=y"], "--set") == {"a.b": "1", "c": "x=y"}
    with pytest.raises(Misuse, match="KEY=VALUE"):
        pairs(["a"], "--set")
