"""`stillwatch watch`: one frame of a worker's pages and of a store, and what it does without either."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from store_support import incident, write_verdicts

from pipeline.command_line import build_app
from pipeline.command_line.run import run
from pipeline.command_line.watch.findings import newest_incidents
from pipeline.command_line.watch.frame import bars
from pipeline.command_line.watch.pages import Sample, parse, rate, read_workers
from pipeline.store.client import connect
from pipeline.store.migrate import migrate
from pipeline.stream import metrics as m
from pipeline.stream.metrics import Metrics

HOSTILE = "[bold]<script>'\x1b[2J\u202e" + "x" * 200
Run = Callable[..., tuple[int, str, str]]


class Pages:
    """A worker's two pages, made of its own metrics; each look at them finds 5,000 more events."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.health = {"state": "degraded", "problems": ["the broker has not answered for 12 s"]}
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    pages.metrics.add(m.RECEIVED, 5000)
                    pages.metrics.add(m.ACCEPTED, 4990)
                    body, status = pages.metrics.render().encode(), 200
                else:
                    body, status = json.dumps(pages.health).encode(), 503 if pages.health["problems"] else 200
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def pages() -> Iterator[Pages]:
    found = Pages()
    metrics = found.metrics
    metrics.add(m.REJECTED, 7, "not_json")
    metrics.add(m.REJECTED, 3, 'odd "reason"\n')
    metrics.add(m.ENGINE_SECONDS, 0.5)
    metrics.put(m.LAG, 1200, "api-calls", "0")
    metrics.put(m.LAG, 34, "api-calls", "1")
    metrics.put(m.CHECKPOINT_AGE, 12.25)
    metrics.put(m.WATERMARK, 1_733_011_200_000, "0")
    metrics.put(m.WATERMARK, 1_733_097_600_000, "1")
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def stillwatch(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.command_line.watch.command._GLANCE_S", 0.05)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(build_app(), ["watch", *arguments])
        return (code, *capfd.readouterr())

    return command


def test_a_frame_tells_of_the_worker_and_of_what_was_found(stillwatch: Run, pages: Pages) -> None:
    with connect("chdb:.stillwatch/store") as store:
        migrate(store)
        write_verdicts(store, "live", account=HOSTILE)
    code, out, err = stillwatch("--worker", pages.address + "/")
    assert (code, err) == (0, "")
    lines = {line.strip("│ ").split("  ")[0]: line for line in out.splitlines()}
    assert "10,000" in lines["received"]
    assert "10 " in lines["rejected"]
    assert "0.10%, 7 not_json" in lines["rejected"]
    assert "1,234" in lines["lag"]
    assert "12.2 s" in lines["checkpoint age"]
    assert "windows closed up to 2024-12-01 00:00 UTC" in lines["accounts"]
    rates = re.search(r"events a second +([\d,]+)", out)
    assert rates is not None
    assert int(rates[1].replace(",", "")) > 1000
    assert "degraded" in out
    assert "the broker has not answered for 12 s" in out
    assert "[bold]<script>" in out
    assert all(character.isprintable() for character in out.replace("\n", ""))


def test_without_a_worker_the_store_is_shown_and_without_both_one_line(stillwatch: Run) -> None:
    code, out, err = stillwatch("--worker", "http://127.0.0.1:9", "--once")
    assert (code, out) == (1, "")
    assert err.startswith(
        "stillwatch: no worker answers at http://127.0.0.1:9, and there is no store in .stillwatch/store"
    )
    assert len(err.splitlines()) == 1
    with connect("chdb:.stillwatch/store") as store:
        migrate(store)
        write_verdicts(store, "live")
    code, out, err = stillwatch("--worker", "http://127.0.0.1:9", "--once")
    assert (code, err) == (0, "")
    assert "no worker answers" in out
    assert "acme draws far more than it did" in out
    # The folder is let go, so that a worker can start.
    connect("chdb:.stillwatch/store").close()


def test_on_a_terminal_frames_follow_each_other_until_ctrl_c(pages: Pages, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "replay", "watch", "--worker", pages.address, "--every", "0.2"]
    watching = subprocess.Popen(
        command, cwd=tmp_path, stdin=follower, stdout=follower, stderr=follower, start_new_session=True
    )
    os.close(follower)
    seen = b""
    while seen.count(b"events a second") < 3:
        assert select.select([leader], [], [], 60)[0], seen
        seen += os.read(leader, 1 << 16)
    watching.send_signal(signal.SIGINT)
    # What is still drawn must be read, or its end would wait for room.
    with contextlib.suppress(OSError):
        while os.read(leader, 1 << 16):
            pass
    os.close(leader)
    assert watching.wait(timeout=60) == 0


@pytest.mark.parametrize("arguments", [["--worker", "6066"], ["--every", "0"], ["--limit", "0"]])
def test_wrong_use_is_one_line(stillwatch: Run, arguments: list[str]) -> None:
    code, _, err = stillwatch(*arguments)
    assert code == 2
    assert len(err.splitlines()) == 1


def test_what_is_rendered_is_read_back(pages: Pages) -> None:
    read = {(name, tuple(labels.values())): value for name, labels, value in parse(pages.metrics.render())}
    assert read[m.REJECTED.name, ("not_json",)] == 7
    assert read[m.LAG.name, ("api-calls", "1")] == 34
    assert list(parse("nonsense\n# HELP x y\nx{ 1\nx 1e")) == []


def test_rates_need_two_looks_and_the_same_workers(pages: Pages) -> None:
    one, two = read_workers([pages.address]), read_workers([pages.address])
    found = rate(one, two, m.RECEIVED)
    assert found is not None
    assert found == pytest.approx(5000 / (two.at - one.at))
    assert rate(None, one, m.RECEIVED) is None
    assert rate(two, one, m.RECEIVED) is None
    assert rate(one, Sample(two.at, {}, answered=0), m.RECEIVED) is None
    # Of two workers counts add up, and of ages the largest tells.
    both = read_workers([pages.address, pages.address])
    assert both.get(m.LAG) == 2 * 1234
    assert both.get(m.CHECKPOINT_AGE) == 12.25


def test_the_newest_version_of_each_incident_of_the_topic() -> None:
    encode = msgspec.json.Encoder().encode
    messages = [
        encode(incident(2)),
        encode(incident(1)),
        b"no json",
        b"[]",
        b"{}",
        encode(incident(1, "other", "closed")),
    ]
    found = newest_incidents(messages, 10)
    assert {(one["entity_id"], one["version"], one["status"]) for one in found} == {
        ("acme", 2, "open"),
        ("other", 1, "closed"),
    }
    assert len(newest_incidents(messages, 1)) == 1


def test_bars_are_as_many_as_values() -> None:
    assert bars([0.0, 1.0, 2.0, 4.0]) == "▁▂▄█"
    assert bars([3.0]) == ""
    assert bars([0.0, 0.0]) == "▁▁"
