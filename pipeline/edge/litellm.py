"""A callback for LiteLLM, its proxy or its SDK: every call is reported as it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.edge.reporter import Reporter
from pipeline.event import ApiCall, Rejected, RejectReason, rejected
from pipeline.sources.litellm import LiteLLM
from pipeline.sources.options import SourceOptions
from pipeline.sources.read import call_of_record
from pipeline.sources.timestamps import zone_named

if TYPE_CHECKING:
    Base = object
else:
    # LiteLLM calls nothing that is no CustomLogger of its own; without it this is importable all the same.
    try:
        from litellm.integrations.custom_logger import CustomLogger as Base
    except ImportError:
        Base = object


class StillwatchCallback(Base):
    """Reports LiteLLM's standard logging payloads, read as `stillwatch ingest --format litellm` reads their logs.

    `account_attribute` is the dotted path of the account instead of the usual search order, `account` stands in for calls
    that name none (see docs/sources.md). Its methods have the names and parameters that LiteLLM calls them by.
    """

    def __init__(self, reporter: Reporter, *, account: str | None = None, account_attribute: str | None = None) -> None:
        super().__init__()
        self._reporter = reporter
        self._account = account
        self._reader = LiteLLM(zone_named("UTC"), account_attribute)

    def log_success_event(
        self, kwargs: Mapping[str, Any], response_obj: object, start_time: Any, end_time: Any
    ) -> None:
        """A call that succeeded."""
        self._report(kwargs)

    def log_failure_event(
        self, kwargs: Mapping[str, Any], response_obj: object, start_time: Any, end_time: Any
    ) -> None:
        """A call that failed."""
        self._report(kwargs)

    async def async_log_success_event(
        self, kwargs: Mapping[str, Any], response_obj: object, start_time: Any, end_time: Any
    ) -> None:
        """As `log_success_event`, for calls of the asynchronous API and the proxy's."""
        self._report(kwargs)

    async def async_log_failure_event(
        self, kwargs: Mapping[str, Any], response_obj: object, start_time: Any, end_time: Any
    ) -> None:
        """As `log_failure_event`, for calls of the asynchronous API and the proxy's."""
        self._report(kwargs)

    def _report(self, kwargs: Mapping[str, Any]) -> None:
        self._reporter.report_made(lambda: self._call_of(kwargs))

    def _call_of(self, kwargs: Mapping[str, Any]) -> ApiCall | Rejected:
        now = time.time_ns() // 1_000_000
        payload = kwargs.get("standard_logging_object")
        if not isinstance(payload, dict):
            return rejected(RejectReason.NOT_A_CALL, "no standard_logging_object", b"", now)
        options = SourceOptions(received_at=now, account=self._account)
        return call_of_record(payload, self._reader, options, "litellm")
