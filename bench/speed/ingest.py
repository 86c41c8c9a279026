"""`stillwatch ingest` of a file of JSON lines: the whole program, and the sending alone as it reports it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.speed.place import STILLWATCH, TOPIC


def run(path: Path, server: str, topic: str = TOPIC) -> dict[str, Any]:
    """Send the file; also what fills the topic for the other measurements."""
    began = time.perf_counter()
    command = [STILLWATCH, "ingest", str(path), "--broker", f"kafka://{server}", "--json"]
    command += ["--set", f"stream.api_calls_topic={topic}"]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"bench: ingest failed: {done.stderr.strip()[-300:]}")
    report = json.loads(done.stdout)
    return {"events": report["accepted"], "seconds": seconds, "sending_seconds": report["seconds"]}
