"""A console that runs in this process, and a store with names that would do harm if they were taken for anything but text."""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from pipeline.console.server import Serving, build, runner_of
from pipeline.settings import Settings
from pipeline.store.client import Store

TOKEN = "a-token-for-the-tests-of-the-console"
START = 1_733_011_200_000  # 2024-12-01
HOSTILE = (
    "<script>document.title='harmed'</script>",
    '"><img src=x onerror="document.title=\'harmed\'">',
    "'; DROP TABLE incidents; --",
    "{account:String}",
    "../../etc/passwd?id=1&run=2#x%00%2f",
    "abc\u202egnp.exe\u2066\u200f עברית",
    "\u001b[31m\u0000\n\tred",
    "w" * 10_000,
)
CAMPAIGN = "campaign <b>of</b> all"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Console:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request with no more headers than given (underscores for dashes), and a Host."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, body=data, headers=names)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    def ask(self, path: str, **parameters: object) -> Answer:
        """A question with the token."""
        query = urlencode(parameters)
        return self.send("GET", f"/api/{path}?{query}", Authorization=f"Bearer {TOKEN}")

    def found(self, path: str, **parameters: object) -> Any:
        answer = self.ask(path, **parameters)
        assert answer.status == 200, answer.body
        return answer.json

    def tell(self, path: str, body: object) -> Answer:
        """A change with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content_Type": "application/json"}
        return self.send("POST", f"/api/{path}", body, **headers)

    def signed_in(self) -> dict[str, str]:
        """Headers of a browser that has signed in."""
        origin = f"http://127.0.0.1:{self.port}"
        given = {"Origin": origin, "Content_Type": "application/json"}
        answer = self.send("POST", "/api/session", {"token": TOKEN}, **given)
        assert answer.status == 200, answer.body
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return {**given, "Cookie": cookie, "X_Stillwatch_Csrf": answer.json["csrf"]}


@contextmanager
def served(open_store: Callable[[], Store], settings: Settings | None = None, **changes: Any) -> Iterator[Console]:
    """A console on a free port, in a thread of its own."""
    started, port = threading.Event(), 0
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    failure: list[BaseException] = []

    async def run() -> None:
        nonlocal port
        serving = Serving(**{"token": TOKEN, "port": 0, **changes})
        runner = runner_of(build(open_store, settings or Settings(), serving))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        started.set()
        await ended.wait()
        await runner.cleanup()

    def thread() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            failure.append(error)
            started.set()

    running = threading.Thread(target=thread)
    running.start()
    assert started.wait(60)
    if failure:
        raise failure[0]
    yield Console(port)
    loop.call_soon_threadsafe(ended.set)
    running.join(30)
    loop.close()


def fill(store: Store) -> None:
    """Accounts of hostile names with scores, windows, incidents, a campaign, labels, rejects and replays."""
    parameters = {"names": list(HOSTILE), "start": START, "campaign": CAMPAIGN}

    def insert(table: str, columns: str, select: str) -> None:
        store.command(f"INSERT INTO {table} ({columns}) {select}", parameters)

    at = "fromUnixTimestamp64Milli({start:Int64} + %s, 'UTC')"
    of_all = "FROM (SELECT arrayJoin({names:Array(String)}) AS name) AS names"
    for run in ("live", "<i>again</i>"):
        insert(
            "call_scores",
            "run_id, account_id, ts, event_id, score",
            f"SELECT '{run}', name, {at % 'number * 60000'}, toString(number), if(number = 5, 0.9997, 0.4) {of_all}, "
            "numbers(6) AS n",
        )
        for window_s in (600, 3600, 86_400):
            insert(
                "account_windows",
                "run_id, account_id, window_s, window_start, calls, output_tokens, score, reasons",
                f"SELECT '{run}', name, {window_s}, {at % f'number * {window_s * 1000}'}, 3, 100 + number, 0.7, "
                f"[(name, 2, 1, 1)] {of_all}, numbers(6) AS n",
            )
    insert(
        "incidents",
        "run_id, incident_id, version, kind, entity_type, entity_id, opened_at, detected_at, last_seen_at, severity, "
        "peak_score, reasons, status, output_tokens, summary",
        f"SELECT 'live', toString(sipHash64(name)), 1, 'volume', 'account', name, {at % 0}, {at % 3_600_000}, {at % 7_200_000}, "
        f"'high', 0.999, [(name, 12.5, 4.25, 0.75)], 'open', 1000, concat(name, ' drew 1,000 output tokens') {of_all}",
    )
    insert(
        "campaigns",
        "run_id, campaign_id, version, opened_at, detected_at, last_seen_at, members, output_tokens, score, evidence, status",
        f"SELECT 'live', {{campaign:String}}, 1, {at % 0}, {at % 3_600_000}, {at % 7_200_000}, 8, 5000, 0.99, "
        "arrayMap(name -> ('payment', name, toFloat32(2)), {names:Array(String)}), 'open'",
    )
    insert(
        "campaign_members",
        "run_id, campaign_id, account_id, joined_at, evidence",
        f"SELECT 'live', {{campaign:String}}, name, {at % 0}, "
        f"arrayMap(other -> (other, other, toFloat32(2)), {{names:Array(String)}}) {of_all}",
    )
    insert(
        "labels",
        "account_id, start, end, kind, source, note",
        f"SELECT name, {at % 0}, {at % 1}, 'heavy', name, name {of_all}",
    )
    insert(
        "api_calls",
        "event_id, ts, account_id, payment_id, client_ip, received_at, schema_version, topic, partition, offset",
        f"SELECT name, {at % 0}, name, {{campaign:String}}, name, {at % 0}, 1, '', -1, -1 {of_all}",
    )
    insert("rejected_events", "received_at, reason, detail, raw", f"SELECT now64(3), 'oversized', name, name {of_all}")
    for run, config in (("<i>again</i>", '{"a": {"b": 1}}'), ("plain", '{"a": {"b": 2}}')):
        store.command(
            "INSERT INTO replay_runs (run_id, created_at, source, config, code_version, metrics, status) "
            "SELECT {run:String}, now64(3), '<b>file</b>', {config:String}, '0', '{\"<u>calls</u>\": 7}', 'done'",
            {"run": run, "config": config},
        )


def draw_much(store: Store, account: str, points: int = 10_000) -> None:
    """An account with many windows of a minute and many scored calls."""
    store.command(
        "INSERT INTO account_windows (run_id, account_id, window_s, window_start, calls, output_tokens, score) "
        "SELECT 'live', {account:String}, 60, fromUnixTimestamp64Milli({start:Int64} + number * 60000, 'UTC'), 1 + number % 7, "
        "100 + number % 1000 + if(number = 5000, 100000, 0), 0.5 FROM numbers({points:UInt32})",
        {"account": account, "start": START, "points": points},
    )
    store.command(
        "INSERT INTO call_scores (run_id, account_id, ts, event_id, score) "
        "SELECT 'live', {account:String}, fromUnixTimestamp64Milli({start:Int64} + number * 60000, 'UTC'), toString(number), "
        "(number % 1000) / 1000 FROM numbers({points:UInt32})",
        {"account": account, "start": START, "points": points},
    )
