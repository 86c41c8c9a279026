"""`stillwatch demo`, small: everything is shown, and nothing is left running."""

import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import IO

WITHIN_S = 180
CONSOLE = ("--console", "--console-port", "0")


def until_served(output: IO[str]) -> str:
    """What is said until the console is there, and its page."""
    said = []
    for line in output:
        said.append(line)
        if (link := re.match(r"console: (http://127.0.0.1:\d+/)#token=\S{43} ", line)) is not None:
            with urllib.request.urlopen(link[1], timeout=30) as page:
                assert b"<title>Stillwatch</title>" in page.read()
            break
    return "".join(said)


def test_the_demo_shows_the_whole_path_and_stops_what_it_started(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "replay", "demo", "--accounts", "40", "--days", "8", "--seed", "3", *CONSOLE],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        watchdog = threading.Timer(WITHIN_S, demo.kill)
        watchdog.start()
        assert demo.stdout is not None
        shown = until_served(demo.stdout)
        demo.send_signal(signal.SIGTERM)
        rest, errors = demo.communicate()
        watchdog.cancel()
    assert (demo.returncode, rest) == (0, ""), shown + errors
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
