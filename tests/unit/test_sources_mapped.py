"""JSON of any gateway by a map, and every recipe of docs/integrations.md on its example."""

import re
import shlex
from pathlib import Path

import pytest
from sources_support import EXAMPLES, calls, read, read_records, reasons, rejects

from pipeline.sources.fingerprint import prompt_hash

LOGS = EXAMPLES.parent / "gateway_logs"
PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"
COMMANDS = [
    shlex.split(line)
    for line in re.findall(r"^    stillwatch ingest (--format json .*)$", PAGE.read_text(), re.MULTILINE)
]
PLACES = {"ts": "at", "account_id": "who.id", "output_tokens": "usage.out", "prompt_text": "messages"}


def map_of(command):
    return dict(command[place + 1].split("=", 1) for place, word in enumerate(command) if word == "--map")


def test_there_is_a_recipe_for_every_log():
    assert sorted(command[-1] for command in COMMANDS) == sorted(path.name for path in LOGS.iterdir())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[-1])
def test_a_recipe_reads_its_log_and_every_field_of_its_map(command):
    results = read(LOGS / command[-1], format="json", csv_map=map_of(command))
    (call,) = calls(results)
    assert len(results) == 1
    assert call.ts in (1_733_130_847_250, 1_733_130_847_000)
    for field in set(map_of(command)) - {"prompt_text", "system_prompt_text", "attributes.region"}:
        assert getattr(call, field) is not None, field
    if "prompt_text" in map_of(command):
        assert call.prompt_hash == prompt_hash("Hello")


def test_what_is_not_mapped_is_dropped_and_texts_are_hashed(tmp_path):
    record = {
        "at": "2024-12-02 09:14:07",
        "who": {"id": "a"},
        "usage": {"out": "7"},
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}],
        "secret": "x",
    }
    (call,) = read_records(tmp_path, [record], format="json", csv_map=PLACES)
    assert (call.ts, call.account_id, call.output_tokens, call.attributes) == (1_733_130_847_000, "a", 7, {})
    assert (call.prompt_hash, call.system_prompt_hash) == (prompt_hash("p"), prompt_hash("s"))


def test_what_cannot_be_used_is_kept_without_its_texts(tmp_path):
    records = [{"at": 1_733_130_847, "messages": "a secret"}, 5, {"at": "soon", "who": {"id": "a"}, "note": "a secret"}]
    results = read_records(tmp_path, records, format="json", csv_map=PLACES)
    assert reasons(results) == ["no_account", "not_an_object", "time_invalid"]
    assert not any(b"secret" in reject.raw for reject in rejects(results))
