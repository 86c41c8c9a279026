"""Real traffic of the public data, through the engines as a worker has them."""

from __future__ import annotations

from pathlib import Path

from bench.detection.real.cloudtrail import banking_session, stratus
from bench.detection.real.llm_traces import traces_among_others
from bench.detection.real.servegen import clients
from bench.detection.real.watch import Seen


def watch_real_traffic(root: Path) -> list[Seen]:
    """Everything that is there. Raises `DataError` when a file is absent."""
    return [stratus(root), banking_session(root), *traces_among_others(root), clients(root)]


__all__ = ["Seen", "watch_real_traffic"]
