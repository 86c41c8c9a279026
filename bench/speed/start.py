"""How long it takes to start: `stillwatch --help`, and a worker on the embedded broker until it has its partitions."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time

from bench.speed.place import PATIENCE_S, STILLWATCH
from pipeline.stream.address import free_port


def help_seconds() -> float:
    """Seconds of `stillwatch --help`."""
    began = time.perf_counter()
    subprocess.run([STILLWATCH, "--help"], check=True, capture_output=True)
    return time.perf_counter() - began


def worker_ready_seconds() -> float:
    """Seconds until a worker that starts broker and store in an empty folder says it is ready."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        began = time.perf_counter()
        process = subprocess.Popen(
            [STILLWATCH, "worker", "--web-port", str(free_port())], cwd=folder, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if " ready: " in line:
                    return time.perf_counter() - began
            raise SystemExit("bench: the worker ended before it was ready; run `stillwatch worker` to see why")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)
