"""The engine: a batch of events in, verdicts out; deterministic and free of input and output."""

from pipeline.engine.engine import Engine
from pipeline.engine.verdicts import AccountWindows, CallScores, Verdicts
from pipeline.incidents.incident import Incident, Reason

__all__ = ["AccountWindows", "CallScores", "Engine", "Incident", "Reason", "Verdicts"]
