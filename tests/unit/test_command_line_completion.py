"""Shells complete the program's commands and options, the replay's among them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.command_line.run import run
from replay.command_line import build_full_app


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "bash"
    path.write_text(build_full_app().generate_completion(shell="bash"))
    return path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["stillwatch", "rep"], "replay"),
        (["stillwatch", "wa"], "watch"),
        (["stillwatch", "replay", "ev"], "evaluate"),
        (["stillwatch", "worker", "--until"], "--until-idle"),
        (["stillwatch", "replay", "report", "--acc"], "--accounts"),
    ],
)
def test_bash_completes(script: Path, words: list[str], offered: str) -> None:
    typed = " ".join(words)
    ask = (
        f"source {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; COMP_LINE='{typed}'; COMP_POINT={len(typed)}; "
        "$(complete -p stillwatch | sed 's/.*-F \\([^ ]*\\).*/\\1/') stillwatch; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=False)
    assert offered in done.stdout.split(), done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_can_read_its_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build_full_app(), ["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "evaluate" in text
    if shutil.which(shell):
        (tmp_path / "script").write_text(text)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_zsh_is_told_of_a_function_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build_full_app(), ["completion", "zsh"]) == 0
    text = capsys.readouterr().out
    assert text.endswith("\ncompdef _cyclopts_stillwatch stillwatch\n")
    assert "\n_cyclopts_stillwatch() {\n" in text


def test_another_shell_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build_full_app(), ["completion", "tcsh"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
