"""An embedded store's folder is held by one process at a time."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.store.client import connect
from pipeline.store.errors import StoreError, StoreHeldError
from pipeline.store.held import LOCK_FILE, http_address

HOLD = """
import sys
from pipeline.store.client import connect
store = connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""
HOLD_AND_TELL = """
import sys
from pathlib import Path
from pipeline.store.client import connect
from pipeline.store.held import tell
store = connect(sys.argv[1])
tell(Path(sys.argv[1].removeprefix("chdb:")), {"http": sys.argv[2]})
print("held", flush=True)
sys.stdin.read()
"""
HOLD_WITHOUT_STILLWATCH = """
import sys, chdb
connection = chdb.connect(sys.argv[1].removeprefix("chdb:"))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(address: str, program: str = HOLD, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, address, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_told_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    address = f"chdb:{tmp_path / 'store'}"
    with holder(address) as process:
        with pytest.raises(StoreHeldError) as caught:
            connect(address)
        text = str(caught.value)
        assert f"is held by process {process.pid} (" in text
        assert f"kill {process.pid}" in text
        assert "--store clickhouse://" in text
        assert "\n" not in text


def test_a_holder_that_offers_the_store_no_more_is_waited_for(tmp_path: Path) -> None:
    address = f"chdb:{tmp_path / 'store'}"
    with holder(address, HOLD_AND_TELL, "http://127.0.0.1:9") as process:
        threading.Timer(0.5, process.kill).start()
        with connect(address, through_holder=True) as store:
            assert store.address.embedded


def test_only_this_machine_is_asked_for_a_store_that_is_held(tmp_path: Path) -> None:
    address = f"chdb:{tmp_path / 'store'}"
    with holder(address, HOLD_AND_TELL, "http://192.0.2.1:8124"), pytest.raises(StoreHeldError):
        connect(address, through_holder=True)
    for url in ("https://127.0.0.1:8124", "http://127.0.0.1:8124@evil.example", "http://127.0.0.1:8124/x", "x"):
        (tmp_path / "store" / LOCK_FILE).write_text(json.dumps({"http": url}))
        assert http_address(tmp_path / "store") is None


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    address = f"chdb:{tmp_path / 'store'}"
    with holder(address) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with connect(address) as store:
            assert store.ping()


def test_a_program_that_uses_chdb_by_itself_is_named_too(tmp_path: Path) -> None:
    address = f"chdb:{tmp_path / 'store'}"
    with holder(address, HOLD_WITHOUT_STILLWATCH) as process, pytest.raises(StoreHeldError) as caught:
        connect(address)
    assert f"is held by process {process.pid};" in str(caught.value)


def test_one_process_may_open_it_often_and_another_after_the_last_is_closed(tmp_path: Path) -> None:
    address = f"chdb:{tmp_path / 'store'}"
    with connect(address) as first:
        with connect(address) as second, second.read_only() as third:
            assert third.ping()
        assert first.ping()
        with pytest.raises(StoreError, match="chDB can open one folder only"):
            connect(f"chdb:{tmp_path / 'other'}")
    with holder(address):
        pass
    with connect(f"chdb:{tmp_path / 'other'}") as other:
        assert other.ping()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="give a folder that can be written"):
        connect(f"chdb:{tmp_path / 'file'}")
    with pytest.raises(StoreError, match="give a folder that can be written"):
        connect(f"chdb:{tmp_path / 'file' / 'below'}")
