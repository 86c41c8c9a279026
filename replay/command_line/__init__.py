"""The program `stillwatch` with all its commands: the pipeline's, and those that simulate, replay and show."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App

from pipeline.command_line import build_app
from pipeline.command_line.run import run

#: Where each command is, and what it does, as in `pipeline.command_line`.
COMMANDS = {
    "demo": ("replay.command_line.demo:demo", "Simulate December 2024 and show what is found, on this machine alone."),
    "simulate": ("replay.command_line.simulate:simulate", "Write a labelled scenario as events."),
}
REPLAY_COMMANDS = {
    "run": ("replay.command_line.run:run", "Re-run a window of history through the engine."),
    "verify": ("replay.command_line.verify:verify", "Prove that a replay gives what the stream wrote."),
    "evaluate": ("replay.command_line.evaluate:evaluate", "Score a run against labels."),
    "compare": ("replay.command_line.compare:compare", "Compare two runs."),
    "tune": ("replay.command_line.tune:tune", "Search for the best settings."),
    "what-if": ("replay.command_line.what_if:what_if", "Decide a run's incidents anew by other thresholds."),
    "report": ("replay.command_line.report:report", "Write a page that shows a run, or several side by side."),
}


def build_full_app() -> App:
    """The program with every command."""
    app = build_app()
    for name, (where, does) in COMMANDS.items():
        app.command(where, name=name, help=does)
    replay = App(
        name="replay", help="Re-run a window of history, score the run against labels, compare runs, show them."
    )
    for name, (where, does) in REPLAY_COMMANDS.items():
        replay.command(where, name=name, help=does)
    app.command(replay)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code."""
    sys.exit(run(build_full_app(), sys.argv[1:] if arguments is None else arguments))
