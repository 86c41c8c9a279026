"""The worker's log as lines and as JSON."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stream.logs import LONGEST, QUIET_LOGGERS, JsonLines, OneLine, set_up_logging, speaker


def record(message: str, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("pipeline.stream.sink", logging.WARNING, "sink.py", 1, message, None, info)


@pytest.fixture
def loggers() -> Iterator[None]:
    """The loggers are afterwards as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET_LOGGERS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_a_record_is_an_object_on_one_line() -> None:
    line = JsonLines().format(record("rows wait\nfor the store", OSError("no route")))
    assert "\n" not in line
    found = json.loads(line)
    assert datetime.fromisoformat(found.pop("time")).utcoffset() is not None
    assert found == {
        "level": "warning",
        "logger": "pipeline.stream.sink",
        "message": "rows wait\nfor the store",
        "error": "OSError: no route",
    }


@given(st.text(alphabet=st.characters(exclude_categories=())), st.text())
def test_any_text_stays_one_line_of_json(message: str, problem: str) -> None:
    line = JsonLines(tracebacks=True).format(record(message, ValueError(problem)))
    assert "\n" not in line
    assert set(json.loads(line)) == {"time", "level", "logger", "message", "error", "traceback"}


def test_what_an_error_quotes_is_cut() -> None:
    found = json.loads(JsonLines().format(record("x" * 10_000, ValueError("y" * 10_000))))
    assert len(found["message"]) == len(found["error"]) == LONGEST


def test_lines_for_people_have_no_traceback() -> None:
    assert OneLine().format(record("rows\nwait", OSError("no"))) == "stillwatch: rows wait: OSError('no')"


@pytest.mark.usefixtures("loggers")
def test_what_the_worker_says_is_in_the_format_of_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json")
    speaker("json")("ready")
    logging.getLogger("pipeline.stream.sink").warning("trying again")
    logging.getLogger("aiokafka").error("never heard")
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["logger"], one["level"], one["message"]) for one in found] == [
        ("stillwatch", "info", "ready"),
        ("pipeline.stream.sink", "warning", "trying again"),
    ]


@pytest.mark.usefixtures("loggers")
def test_lines_for_people_begin_with_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("text")
    speaker("text")("ready")
    logging.getLogger("pipeline.stream.sink").warning("trying again")
    assert capsys.readouterr().err == "stillwatch: ready\nstillwatch: trying again\n"
