"""One process at a time may hold an embedded store's folder: who holds it is written in the folder."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from pipeline.store.errors import StoreError, StoreHeldError

LOCK_FILE = "stillwatch.lock"
_LONGEST_ENTRY = 4096
#: On this machine only, whatever the file says.
_HTTP = re.compile(r"http://(127\.0\.0\.1):(\d{1,5})")

# Clients within a process share the engine, so they share the lock; the folder is let go with the last of them.
_guard = threading.Lock()
_held: dict[str, tuple[int, int]] = {}


def hold(folder: Path) -> str:
    """Hold `folder` for this process; the key to give to `let_go`. Raises `StoreHeldError`, or `StoreError`.

    The lock is the kernel's (flock), so it ends with the process however that dies; the text in the file only says who.
    """
    key = os.path.realpath(folder)
    with _guard:
        if key in _held:
            descriptor, users = _held[key]
            _held[key] = (descriptor, users + 1)
            return key
        if _held:
            raise StoreError(
                f"store {folder}: this process has {next(iter(_held))} open, and chDB can open one folder only"
            )
        _held[key] = (_lock(folder, key), 1)
    return key


def let_go(key: str) -> None:
    """Give back one hold."""
    with _guard:
        descriptor, users = _held[key]
        if users > 1:
            _held[key] = (descriptor, users - 1)
            return
        del _held[key]
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def tell(folder: Path, facts: dict[str, str]) -> None:
    """Add to what the folder says of this process, which must hold it. Raises `StoreError`."""
    key = os.path.realpath(folder)
    with _guard:
        descriptor, _ = _held[key]
        entry = json.loads(os.pread(descriptor, _LONGEST_ENTRY, 0)) | facts
        try:
            _write(descriptor, entry)
        except OSError as error:
            raise StoreError(f"store {folder}: {error.strerror or error}: free space or make it writable") from None


def http_address(folder: Path) -> tuple[str, int] | None:
    """Host and port at which the process that holds `folder` can be asked, if it says so."""
    try:
        url = str(json.loads((folder / LOCK_FILE).read_text())["http"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = _HTTP.fullmatch(url)
    return (found.group(1), int(found.group(2))) if found else None


def held_error(folder: Path) -> StoreHeldError:
    """Say who holds `folder` and how to reach it."""
    who, pid = _holder(folder)
    stop = f"stop it (kill {pid})" if pid else "stop that one"
    return StoreHeldError(
        f"store {folder} is held by {who}; one process at a time can open an embedded store: {stop}, wait for its end, "
        "or use a ClickHouse server, which many can (--store clickhouse://user@host:8123/stillwatch)"
    )


def _lock(folder: Path, key: str) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Not inherited by programs that this one starts (PEP 446), or they would hold the folder as well.
        descriptor = os.open(Path(key) / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"store {folder}: {error.strerror or error}: give a folder that can be written with --store chdb:FOLDER"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise held_error(folder) from None
    if _engine_runs(Path(key)):
        os.close(descriptor)
        raise held_error(folder)
    entry: dict[str, object] = {
        "pid": os.getpid(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])[:80],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        _write(descriptor, entry)
    except OSError as error:
        os.close(descriptor)
        raise StoreError(f"store {folder}: {error.strerror or error}: free space or make it writable") from None
    return descriptor


def _write(descriptor: int, entry: dict[str, object]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(entry).encode(), 0)


def _engine_runs(folder: Path) -> bool:
    # chDB locks its status file, also for programs that know nothing of the lock above. Asked here, since chDB itself
    # would write to standard error what it finds.
    try:
        with (folder / "status").open("rb") as status:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _holder(folder: Path) -> tuple[str, int]:
    try:
        entry = json.loads((folder / LOCK_FILE).read_text())
        pid = int(entry["pid"])
        return f"process {pid} ({entry['command']}, since {entry['since']})", pid
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:  # A program that uses chDB without Stillwatch: ClickHouse's own status file names it.
        lines = (folder / "status").read_text().splitlines()
        pid = next(int(line.partition(":")[2]) for line in lines if line.startswith("PID:"))
        return f"process {pid}", pid
    except (OSError, ValueError, StopIteration):
        return "another process", 0
