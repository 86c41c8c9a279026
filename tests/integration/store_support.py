"""Events and verdicts for the tests of the store."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from pipeline.engine.verdicts import AccountWindows, CallScores
from pipeline.event import ApiCall
from pipeline.incidents.incident import Incident, Reason
from pipeline.store.client import Store
from pipeline.store.rows import (
    WINDOW_COUNTS,
    account_windows_table,
    api_calls_table,
    call_scores_table,
    incidents_table,
)

#: A command of the program: exit code, output, errors.
Run = Callable[..., tuple[int, str, str]]

START = 1_733_011_200_000  # 2024-12-01
HOUR = 3_600_000
NOW = 1_795_000_000_000
REASON = Reason("hour_volume:log_output_tokens", 12.5, 4.25, 0.75)

text = st.text(max_size=30)
tokens = st.integers(0, 1_000_000_000)
times = st.integers(1_262_304_000_000, 4_102_444_800_000)
milliseconds = st.floats(0, 2_592_000_000)
hexadecimal = st.text("0123456789abcdefABCDEF", min_size=2, max_size=64)


def optional(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


api_calls = st.builds(
    ApiCall,
    event_id=st.text(min_size=1, max_size=128),
    ts=times,
    account_id=st.text(min_size=1, max_size=60),
    api_key_id=optional(text),
    org_id=optional(text),
    project_id=optional(text),
    payment_id=optional(text),
    signup_ts=optional(st.integers(0, 4_102_444_800_000)),
    operation=optional(text),
    endpoint=optional(text),
    provider=optional(text),
    model=optional(text),
    stream=optional(st.booleans()),
    n=optional(st.integers(0, 1_000_000)),
    temperature=optional(st.floats(0, 100)),
    top_p=optional(st.floats(0, 1)),
    max_tokens=optional(tokens),
    logprobs=optional(st.booleans()),
    tools=optional(st.integers(0, 1_000_000)),
    input_tokens=optional(tokens),
    output_tokens=optional(tokens),
    cached_input_tokens=optional(tokens),
    reasoning_tokens=optional(tokens),
    request_bytes=optional(st.integers(0, 1 << 44)),
    response_bytes=optional(st.integers(0, 1 << 44)),
    status=optional(st.integers(0, 999)),
    error_type=optional(text),
    latency_ms=optional(milliseconds),
    ttft_ms=optional(milliseconds),
    client_ip=optional(text),
    asn=optional(st.integers(0, 4_294_967_295)),
    country=optional(text),
    user_agent=optional(text),
    prompt_hash=optional(hexadecimal),
    prompt_simhash=optional(st.text("0123456789abcdefABCDEF", min_size=16, max_size=16)),
    system_prompt_hash=optional(hexadecimal),
    attributes=st.dictionaries(text, text, max_size=4),
)


def call(index: int, account: str = "acme", ts: int | None = None, **fields: object) -> ApiCall:
    return ApiCall(event_id=f"e{index}", ts=START + index * 1000 if ts is None else ts, account_id=account, **fields)  # type: ignore[arg-type]


def insert_calls(
    store: Store, calls: list[ApiCall], offsets: list[int] | None = None, partition: int = 0, token: str = ""
) -> None:
    rows = api_calls_table(
        calls, received_at=NOW, topic="api-calls", partition=partition if offsets is not None else -1, offsets=offsets
    )
    store.insert_arrow("api_calls", rows, deduplication_token=token)


def scores(calls: list[ApiCall], values: list[float]) -> CallScores:
    return CallScores(
        account_id=[call.account_id for call in calls],
        ts=np.array([call.ts for call in calls], np.int64),
        event_id=[call.event_id for call in calls],
        score=np.array(values),
        late=np.zeros(len(calls), np.bool_),
        reasons=[(REASON,) if value > 0.95 else () for value in values],
    )


def windows(account: str, count: int, window_s: int = 600, score: float = 0.5) -> AccountWindows:
    counts = {name: np.full(count, 7, np.int64) for name in WINDOW_COUNTS}
    counts["output_tokens"] = np.full(count, 1000, np.int64)
    return AccountWindows(
        account_id=[account] * count,
        window_s=np.full(count, window_s, np.int64),
        window_start=START + np.arange(count, dtype=np.int64) * window_s * 1000,
        score=np.full(count, score),
        reasons=[(REASON,) if score > 0.95 else ()] * count,
        **counts,
    )


def incident(version: int = 1, account: str = "acme", status: str = "open") -> Incident:
    return Incident(
        incident_id=f"incident-{account}",
        version=version,
        kind="volume",
        entity_type="account",
        entity_id=account,
        opened_at=START,
        detected_at=START + HOUR,
        last_seen_at=START + version * HOUR,
        closed_at=START + version * HOUR if status == "closed" else None,
        severity="high",
        peak_score=0.999,
        reasons=(REASON,),
        status=status,
        output_tokens=version * 1000,
        summary=f"{account} draws far more than it did",
    )


def write_verdicts(store: Store, run_id: str, account: str = "acme", hostile: str = "") -> None:
    """One account with an incident, one without, as a run would have written them."""
    calls = [call(index, account) for index in range(20)] + [call(100 + index, hostile or "calm") for index in range(5)]
    values = [0.2] * 19 + [0.9998] + [0.3] * 5
    store.insert_arrow("call_scores", call_scores_table(scores(calls, values), run_id=run_id))
    for found in (windows(account, 12), windows(account, 2, 3600, 0.9995), windows(hostile or "calm", 3)):
        store.insert_arrow("account_windows", account_windows_table(found, run_id=run_id))
    store.insert_arrow("incidents", incidents_table([incident(1, account), incident(2, account)], run_id=run_id))
