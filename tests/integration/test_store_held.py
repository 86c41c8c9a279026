"""An embedded store's folder is held by one process at a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.store.client import connect
from pipeline.store.errors import StoreError, StoreHeldError

HOLD = """
import sys
from pipeline.store.client import connect
store = connect(sys.argv[1])
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
def holder(address: str, program: str = HOLD) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, address]
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
