"""`stillwatch demo`, small: everything is shown, and nothing is left running."""

import re
import subprocess
import sys
from pathlib import Path

WITHIN_S = 180


def test_the_demo_shows_the_whole_path_and_stops_what_it_started(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "replay", "demo", "--accounts", "40", "--days", "8", "--seed", "3"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout
    sent = re.search(r"([\d,]+) events sent and scored", shown)
    assert sent is not None
    assert int(sent[1].replace(",", "")) > 1000
    for part in ("accounts by risk", "against the labels", "recall", "false alerts", "everything is stopped"):
        assert part in shown
    assert shown.count("SELECT") >= 3
    assert "\x1b" not in shown
    folder = tmp_path / ".stillwatch" / "demo"
    assert (folder / "labels.csv").exists()
    assert not (folder / ".stillwatch" / "broker.json").exists()
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert left.strip() == ""
