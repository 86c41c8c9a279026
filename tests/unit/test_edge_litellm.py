"""LiteLLM's callback reports what the reader of its logs would read."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from sources_support import EXAMPLES, calls, read

from pipeline.edge import Counts, Reporter
from pipeline.edge.litellm import StillwatchCallback
from pipeline.settings import StreamSettings

LINES = (EXAMPLES / "litellm.jsonl").read_text().splitlines()
PAYLOADS = [found.get("standard_logging_object", found) for found in map(json.loads, LINES)]


class Kept(Reporter):
    """A reporter that keeps what it would send."""

    def __init__(self):
        super().__init__(StreamSettings(broker="kafka://127.0.0.1:9"))
        self.kept = []

    def report_call(self, call):
        if not hasattr(call, "account_id"):
            return super().report_call(call)
        self.kept.append(call)
        return True


def tell(callback, payload, ends):
    now = datetime.now(UTC)
    arguments = {
        "kwargs": {"standard_logging_object": payload},
        "response_obj": None,
        "start_time": now,
        "end_time": now,
    }
    found = getattr(callback, ends)(**arguments)
    if found is not None:
        asyncio.run(found)


@pytest.mark.parametrize(
    "ends", ["log_success_event", "log_failure_event", "async_log_success_event", "async_log_failure_event"]
)
def test_a_payload_is_read_as_its_log_is(ends):
    reporter = Kept()
    callback = StillwatchCallback(reporter)
    for payload in PAYLOADS:
        tell(callback, payload, ends)
    assert reporter.kept == calls(read(EXAMPLES / "litellm.jsonl", format="litellm"))
    assert any(call.prompt_hash for call in reporter.kept)


def test_the_account_can_be_chosen_and_stood_in_for():
    reporter = Kept()
    tell(
        StillwatchCallback(reporter, account_attribute="metadata.user_api_key_team_id"),
        PAYLOADS[0],
        "log_success_event",
    )
    nobody = {**PAYLOADS[0], "metadata": {}, "end_user": ""}
    tell(StillwatchCallback(reporter, account="sdk"), nobody, "log_success_event")
    assert [call.account_id for call in reporter.kept] == ["team-12", "sdk"]


def test_what_is_no_call_is_counted_and_raises_nothing():
    reporter = Kept()
    callback = StillwatchCallback(reporter)
    for payload in (None, [], {"id": "x", "metadata": 3}, {**PAYLOADS[0], "metadata": {}, "end_user": ""}):
        tell(callback, payload, "log_success_event")
    assert (reporter.kept, reporter.counts) == ([], Counts(unusable=4))
