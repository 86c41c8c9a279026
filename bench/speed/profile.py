"""Where the time goes: py-spy on the engine and on the worker, summed by function.

`python -m bench.speed.profile engine|worker [EVENTS]`; the samples, one stack a line, stay in `bench/results/`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.speed import ingest
from bench.speed.place import STILLWATCH, broker, write_events
from bench.speed.same_work.work import new_group

RESULTS = Path(__file__).parents[1] / "results"
PY_SPY = str(Path(sys.executable).with_name("py-spy"))
TOP = 25


def record(output: Path, command: list[str]) -> None:
    """Run the command under py-spy, without idle threads."""
    recording = [PY_SPY, "record", "--format", "raw", "--rate", "200", "--function", "--output", str(output), "--"]
    done = subprocess.run([*recording, *command], capture_output=True, text=True)
    if done.returncode and not output.exists():
        raise SystemExit(f"bench: py-spy failed: {done.stderr.strip()[-300:]}; it may need ptrace, run it as root")


def summary(samples: Path) -> Table:
    """Functions by the share of samples they are in, and by that in which they are the innermost."""
    within: Counter[str] = Counter()
    innermost: Counter[str] = Counter()
    total = 0
    for line in samples.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if any("<frozen importlib" in frame for frame in frames):
            continue  # loading of modules
        total += int(count)
        innermost[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    table = Table("function", "within", "itself", title=f"{samples.name}: {total} samples", title_justify="left")
    chosen = {name for name, _ in within.most_common(2 * TOP)} | {name for name, _ in innermost.most_common(TOP)}
    for name in sorted(chosen, key=lambda name: -within[name]):
        table.add_row(name, f"{within[name] / total:.1%}", f"{innermost[name] / total:.1%}")
    return table


def main(what: str, events: int) -> None:
    RESULTS.mkdir(exist_ok=True)
    samples = RESULTS / f"{what}.folded"
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        path = Path(folder) / "events.jsonl"
        write_events(path, events)
        if what == "engine":
            record(samples, [sys.executable, "-m", "bench.speed.engine_alone", str(path), str(events)])
        else:
            with broker(Path(folder), None) as server:
                ingest.run(path, server)
                worker = [STILLWATCH, "worker", "--broker", f"kafka://{server}", "--store", f"chdb:{folder}/store"]
                worker += ["--set", f"stream.group={new_group('profile')}", "--set", "stream.session_timeout_s=6"]
                record(samples, [*worker, "--web-port", "0", "--until-idle", "3"])
    Console(width=130).print(summary(samples))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200_000)
