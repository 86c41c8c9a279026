"""Runs a command and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError

from pipeline.command_line.errors import Failure, Misuse

DONE, FAILED, WRONG_USE = 0, 1, 2
#: By name, since their modules are heavy and most commands never load them.
_MISUSES = frozenset({"SettingsError", "DetectorError", "SourceOptionError"})

#: Objects that come into being, less those that die, before the collector looks for cycles; in Python 3.11 it is 700 unless
#: set. Batches hold many thousands of objects at a time, none of them in cycles.
GARBAGE_LIMIT = 100_000


def run(app: App, arguments: Sequence[str]) -> int:
    """Run `arguments`; the exit code. Errors are one line each on standard error, a traceback only with `--debug`."""
    gc.set_threshold(GARBAGE_LIMIT, *gc.get_threshold()[1:])
    debug = "--debug" in arguments
    tokens = [argument for argument in arguments if argument != "--debug"]
    try:
        result: Any = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        return result if isinstance(result, int) and not isinstance(result, bool) else DONE
    except CycloptsError as error:
        return _say(_one_line(str(error)) + "; see --help", WRONG_USE)
    except Misuse as error:
        return _say(str(error), WRONG_USE)
    except KeyboardInterrupt:
        return _say("stopped", FAILED)
    except BrokenPipeError:
        # The reader of the output has gone (a closed pager); there is nobody to tell.
        sys.stderr.close()
        return FAILED
    except Exception as error:
        if debug:
            raise
        if type(error).__name__ in _MISUSES:
            return _say("\n".join(getattr(error, "mistakes", [str(error)])), WRONG_USE)
        if isinstance(error, Failure) or type(error).__module__.startswith(("pipeline.", "replay.")):
            return _say(_one_line(str(error)), FAILED)
        return _say(f"unexpected {type(error).__name__}: {_one_line(str(error))}; run again with --debug", FAILED)


def _say(text: str, code: int) -> int:
    for line in text.splitlines() or [""]:
        print(f"stillwatch: {line}", file=sys.stderr)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())
