"""What a query over the HTTP interface may take, and which settings a client may send with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: Settings that change how an answer looks or what it means, and none of what a query may do. Others are ignored.
_HARMLESS = re.compile(
    r"output_format_\w+|format_(?!schema)\w+|date_time_output_format|session_timezone|final|join_use_nulls|join_algorithm"
    r"|max_block_size|prefer_column_name_to_alias|group_by_use_nulls|union_default_mode|extremes|limit|offset"
    r"|use_skip_indexes\w*|force_index_by_date|force_primary_key|additional_(?:table_filters|result_filter)"
    r"|aggregate_functions_null_for_empty|transform_null_in|empty_result_for_aggregation_by_empty_set"
    r"|(?:result|timeout|read|group_by|sort|distinct)_overflow_mode|max_rows_to_read|max_bytes_to_read"
    r"|max_rows_to_group_by|cast_keep_nullable|decimal_check_overflow|any_join_distinct_right_table_keys"
)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds on what comes over the HTTP interface; a client may ask for less, never for more."""

    max_seconds: float = 60.0
    """Longest time of a query."""
    max_rows: int = 1_000_000
    """Most rows of an answer."""
    max_answer_bytes: int = 256 << 20
    """Largest answer, which is put together in memory."""
    max_memory_bytes: int = 1 << 30
    """Most memory that a query takes while it runs."""
    threads: int = 1
    """Threads of a query, so that inserts find some."""
    at_once: int = 2
    """Queries that run at a time."""
    waiting: int = 16
    """Queries that wait for their turn; more are refused."""
    turn_s: float = 60.0
    """Longest time for which one waits."""
    connections: int = 64
    """Connections that are open at a time; more are closed at once."""


def settings_of(asked: Mapping[str, str], limits: HttpLimits) -> dict[str, str]:
    """The settings to run a query with, of those that a client asks for."""
    settings = {"session_timezone": "UTC", "final": "1"}
    settings |= {name: value for name, value in asked.items() if _HARMLESS.fullmatch(name)}
    bounds = {
        "max_execution_time": limits.max_seconds,
        "max_result_rows": limits.max_rows,
        "max_result_bytes": limits.max_answer_bytes,
        "max_memory_usage": limits.max_memory_bytes,
        "max_threads": limits.threads,
    }
    settings |= {name: _at_most(asked.get(name, ""), bound) for name, bound in bounds.items()}
    # What is sorted or grouped goes to no disk that the worker needs.
    settings |= {"max_bytes_before_external_sort": "0", "max_bytes_before_external_group_by": "0"}
    settings |= {"max_bytes_ratio_before_external_sort": "0", "max_bytes_ratio_before_external_group_by": "0"}
    return settings


def _at_most(asked: str, bound: float) -> str:
    # Zero is without limit for ClickHouse.
    try:
        number = float(asked)
    except ValueError:
        number = 0.0
    least = number if 0 < number < bound else bound
    return str(int(least)) if least == int(least) else f"{least:f}"
