"""An embedded store that cannot be written: one line, a clean stop, and afterwards all goes on where it was."""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.test_stream_recovery import TABLES, finish, send, traffic
from tests.faults.test_stream_worker import PATIENCE_S, Deployment, committed

pytestmark = [pytest.mark.broker, pytest.mark.kafka_only]
EVENTS = 6_000


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for what a test writes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=256m", "stillwatch-test", str(folder)):
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    file = folder / "ballast"
    with file.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(1 << 20))
        except OSError:
            return file


def expected_tables(broker: str, folder: Path) -> dict[str, list[list[object]]]:
    folder.mkdir()
    undisturbed = Deployment(broker, folder)
    try:
        calls = list(traffic(EVENTS))
        send(undisturbed, calls)
        return finish(undisturbed, len(calls))
    finally:
        undisturbed.close()


def deployment_at(broker: str, folder: Path, store: Path) -> Deployment:
    folder.mkdir()
    made = Deployment(broker, folder)
    made.store = f"chdb:{store}"
    return made


def begun(deployment: Deployment) -> None:
    """Half of the events are in, and their offsets committed."""
    half = EVENTS // 2
    deployment.start("--set", "stream.checkpoint_s=0.5")
    send(deployment, list(traffic(EVENTS))[:half])
    deployment.until(lambda: committed(deployment) == half)


def ended_by_itself(deployment: Deployment) -> str:
    """The last line of a worker that must end with 1."""
    assert deployment.workers.pop().wait(PATIENCE_S) == 1
    lines = deployment.log().splitlines()
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


def test_a_full_disk_is_one_line_and_after_it_all_goes_on(broker: str, tmp_path: Path, small_disk: Path) -> None:
    expected = expected_tables(broker, tmp_path / "undisturbed")
    deployment = deployment_at(broker, tmp_path / "disturbed", small_disk / "store")
    try:
        begun(deployment)
        ballast = fill(small_disk)
        send(deployment, list(traffic(EVENTS))[EVENTS // 2 :])
        assert "disk is full: free space, then start again" in ended_by_itself(deployment)
        # Nor does it start on a full disk, and that harms nothing either.
        deployment.start()
        assert str(small_disk) in ended_by_itself(deployment)
        ballast.unlink()
        found = finish(deployment, EVENTS)
        for name in TABLES:
            assert found[name] == expected[name], name
        assert "a new engine" not in deployment.log()
    finally:
        deployment.close()


def test_files_that_may_grow_no_more_are_one_line_and_after_them_all_goes_on(broker: str, tmp_path: Path) -> None:
    expected = expected_tables(broker, tmp_path / "undisturbed")
    deployment = deployment_at(broker, tmp_path / "disturbed", tmp_path / "store")
    try:
        begun(deployment)
        _, most = resource.prlimit(deployment.workers[0].pid, resource.RLIMIT_FSIZE)
        resource.prlimit(deployment.workers[0].pid, resource.RLIMIT_FSIZE, (20_000, most))
        send(deployment, list(traffic(EVENTS))[EVENTS // 2 :])
        line = ended_by_itself(deployment)
        assert "cannot be written (File too large)" in line
        assert "will be read again" in line
        found = finish(deployment, EVENTS)
        for name in TABLES:
            assert found[name] == expected[name], name
        assert "a new engine" not in deployment.log()
    finally:
        deployment.close()


def test_a_folder_that_is_read_only_is_one_line(broker: str, tmp_path: Path, small_disk: Path) -> None:
    deployment = deployment_at(broker, tmp_path / "deployment", small_disk / "store")
    try:
        begun(deployment)
        assert deployment.end() == 0, deployment.log()
        assert mount("-o", "remount,ro", str(small_disk))
        deployment.start()
        line = ended_by_itself(deployment)
        assert "Read-only file system: give a folder that can be written" in line
        assert mount("-o", "remount,rw", str(small_disk))
        send(deployment, list(traffic(EVENTS))[EVENTS // 2 :])
        found = finish(deployment, EVENTS)
        assert len(found["api_calls"]) == EVENTS - EVENTS // 50
    finally:
        deployment.close()
