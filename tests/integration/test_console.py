"""The console's server on an embedded store: who may ask, who may write, and what comes back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_support import CAMPAIGN, HOSTILE, START, TOKEN, Console, draw_much, fill, served

from pipeline.console.sign_in import ATTEMPTS
from pipeline.settings import Settings, StoreSettings
from pipeline.store.client import Store, connect
from pipeline.store.errors import StoreHeldError
from pipeline.store.migrate import migrate

READS = (
    "runs",
    "accounts",
    "account?id=x",
    "account/series?id=x",
    "account/links?id=x",
    "search?text=x",
    "incidents",
    "suppressions",
    "campaigns",
    "campaign?id=x",
    "health",
    "replays",
    "live",
)
WRITES = {
    "triage": {"run": "live", "incident": "x", "state": "acknowledged"},
    "labels": {"account": "x", "kind": "honest"},
    "suppressions": {"account": "x", "until": START},
    "suppressions/lift": {"account": "x"},
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"chdb:{tmp_path_factory.mktemp('console') / 'store'}"


@pytest.fixture(scope="module")
def store(address: str) -> Iterator[Store]:
    with connect(address) as opened:
        migrate(opened)
        fill(opened)
        draw_much(opened, "much")
        yield opened


@pytest.fixture(scope="module")
def console(store: Store, address: str) -> Iterator[Console]:
    with served(lambda: connect(address), Settings(store=StoreSettings(address=address))) as running:
        yield running


def test_nothing_is_told_without_signing_in(console: Console) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": "stillwatch=x"}):
        for path in READS[:: 1 if not headers else 20]:
            answer = console.send("GET", f"/api/{path}", **headers)
            assert (answer.status, list(answer.json)) == (401, ["error"]), path
            assert answer.headers["Cache-Control"] == "no-store"
    for path, body in WRITES.items():
        given = {"Content_Type": "application/json", "Origin": console.url[:-1]}
        assert console.send("POST", f"/api/{path}", body, **given).status == 401
    assert console.send("GET", "/api/session").json == {"signed_in": False}


def test_wrong_tokens_are_few_and_never_told_again(
    console: Console, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(lambda: connect(address)) as other:
        given = {"Content_Type": "application/json", "Origin": other.url[:-1]}
        for _ in range(ATTEMPTS):
            answer = other.send("POST", "/api/session", {"token": "wrong-and-secret"}, **given)
            assert answer.status == 401
            assert b"wrong-and-secret" not in answer.body
        answer = other.send("POST", "/api/session", {"token": TOKEN}, **given)
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0
    captured = capfd.readouterr()
    assert "wrong-and-secret" not in captured.out + captured.err
    assert TOKEN not in captured.out + captured.err


def test_a_browser_signs_in_and_out(console: Console) -> None:
    given = console.signed_in()
    assert console.send("GET", "/api/runs", Cookie=given["Cookie"]).status == 200
    answer = console.send("POST", "/api/session", {"token": TOKEN}, **{k: given[k] for k in ("Content_Type", "Origin")})
    attributes = answer.headers["Set-Cookie"]
    assert "HttpOnly" in attributes
    assert "SameSite=Strict" in attributes
    assert console.send("DELETE", "/api/session", **given).json == {"signed_in": False}
    assert console.send("GET", "/api/runs", Cookie=given["Cookie"]).status == 401


def test_a_session_ends(console: Console, address: str) -> None:
    with served(lambda: connect(address), session_s=0.3) as other:
        given = other.signed_in()
        assert other.send("GET", "/api/session", **given).json["signed_in"]
        time.sleep(0.4)
        assert other.send("GET", "/api/runs", **given).status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"X_Stillwatch_Csrf": "forged"},
        {"X_Stillwatch_Csrf": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
    ],
)
def test_other_sites_cannot_write(console: Console, change: dict[str, str | None]) -> None:
    headers = {name: value for name, value in {**console.signed_in(), **change}.items() if value is not None}
    for path, body in WRITES.items():
        assert console.send("POST", f"/api/{path}", body, **headers).status == 403, path


def test_the_host_must_be_a_name_of_this_console(console: Console, address: str) -> None:
    for host in ("evil.example", f"evil.example:{console.port}", "127.0.0.1.evil.example", "", "[", "169.254.169.254"):
        assert console.send("GET", "/", Host=host).status in (400, 403), host
        assert console.send("GET", "/api/session", Host=host).status in (400, 403), host
    for host in (f"localhost:{console.port}", "127.0.0.1", f"[::1]:{console.port}"):
        assert console.send("GET", "/", Host=host).status == 200, host
    with served(lambda: connect(address), allowed_hosts=frozenset({"watch.example"})) as other:
        assert other.send("GET", "/", Host="watch.example").status == 200


def test_every_answer_has_the_headers_of_safety(console: Console) -> None:
    for path in ("/", "/static/main.js", "/api/session", "/api/runs", "/nothing", "/static/../server.py"):
        headers = console.send("GET", path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self';"), path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_read_only_refuses_every_change(console: Console, address: str) -> None:
    with served(lambda: connect(address), read_only=True) as other:
        given = other.signed_in()
        assert other.send("GET", "/api/session", **given).json["read_only"]
        for path, body in WRITES.items():
            answer = other.send("POST", f"/api/{path}", body, **given)
            assert (answer.status, "read only" in answer.json["error"]) == (403, True)
            assert other.tell(path, body).status == 403
        assert len(other.found("incidents")["incidents"]) == len(HOSTILE)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name[:12].encode("unicode_escape").decode())
def test_any_name_comes_back_as_it_is(console: Console, name: str) -> None:
    account = console.found("account", id=name)
    assert account["account_id"] == name
    assert account["span"]["calls"] == 6
    assert [one["entity_id"] for one in account["incidents"] if one["entity_type"] == "account"] == [name]
    assert account["campaigns"] == [CAMPAIGN]
    series = console.found("account/series", id=name)
    assert series["windows"]["output_tokens"] == [100, 101, 102, 103, 104, 105]
    assert max(series["scores"]["score"]) == pytest.approx(0.9997)
    shared = console.found("account/links", id=name)["accounts"]
    assert {one["account_id"] for one in shared} == set(HOSTILE) - {name}
    if len(name) <= 256:
        found = console.found("search", text=name)["found"]
        assert {"what": "account", "id": name} in found


def test_lists_hold_every_name(console: Console) -> None:
    ranking = console.found("accounts", days=7)
    assert {one["account_id"] for one in ranking["accounts"]} == {*HOSTILE, "much"}
    first = ranking["accounts"][0]
    assert (first["open_incidents"], sum(first["spark"])) == (1, sum(range(100, 106)))
    campaign = console.found("campaign", id=CAMPAIGN)
    assert {one["account_id"] for one in campaign["accounts"]} == set(HOSTILE)
    assert console.found("campaigns")["campaigns"][0]["campaign_id"] == CAMPAIGN
    assert console.found("runs")["runs"][0] == "live"
    health = console.found("health")
    assert health["rejects"][0]["events"] == len(HOSTILE)
    assert health["worker"]["report"] is None
    compared = console.found("replays", runs='["live", "<i>again</i>", "plain"]')
    assert [one["run_id"] for one in compared["compared"]] == ["live", "<i>again</i>", "plain"]
    assert [one["incidents"] for one in compared["compared"]] == [len(HOSTILE), 0, 0]
    assert compared["settings"] == [{"name": "a.b", "values": {"<i>again</i>": 1, "plain": 2}}]
    assert {one["entity_id"] for one in compared["differences"]} == set(HOSTILE)


def test_many_points_come_whole_and_more_than_that_in_longer_steps(console: Console) -> None:
    series = console.found("account/series", id="much", window=60)
    assert len(series["windows"]["t"]) == 10_000
    assert len(series["scores"]["t"]) == 10_000
    assert max(series["windows"]["output_tokens"]) == 100_100
    # What was usual comes from windows before, so a peak is far above it.
    peak = series["windows"]["output_tokens"].index(100_100)
    assert series["windows"]["high"][peak] < 2000
    zoomed = console.found("account/series", id="much", window=60, **{"from": START, "to": START + 600_000})
    assert len(zoomed["windows"]["t"]) == 10
    wide = console.found("account/series", id="much", window=60, **{"from": START, "to": START + 86_400_000 * 30})
    assert wide["window"] == 600


@pytest.mark.parametrize(
    "path",
    [
        "accounts?days=0",
        "accounts?limit=501",
        "accounts?days=1%20OR%201",
        "accounts?surprise=1",
        "account",
        "account?id=",
        "account/series?id=x&window=7",
        "account/series?id=x&from=5&to=4",
        "account/series?id=x&from=-1",
        "incidents?status='",
        "replays?runs=[1]",
        "replays?runs=",
        'replays?runs=["1","2","3","4","5","6","7"]',
        "search?text=",
        f"search?text={'x' * 300}",
    ],
)
def test_wrong_questions_are_one_line(console: Console, path: str) -> None:
    answer = console.send("GET", f"/api/{path}", Authorization=f"Bearer {TOKEN}")
    assert answer.status == 400
    assert "\n" not in answer.json["error"]


def test_what_is_not_there_is_said(console: Console) -> None:
    for path in ("account?id=nobody", "campaign?id=none", "nothing"):
        assert console.send("GET", f"/api/{path}", Authorization=f"Bearer {TOKEN}").status == 404
    assert console.tell("triage", {"run": "live", "incident": "none", "state": "new"}).status == 404
    assert console.tell("labels", {"account": "nobody", "kind": "honest"}).status == 404
    assert console.tell("suppressions/lift", {"account": "nobody"}).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("triage", {"run": "live", "incident": "x", "state": "gone"}),
        ("triage", {}),
        ("triage", b"{"),
        ("labels", {"account": "x", "kind": "two words"}),
        ("labels", {"account": "x" * 257, "kind": "honest"}),
        ("labels", {"account": "x", "kind": "honest", "note": "n" * 2001}),
        ("labels", {"account": "x", "kind": "honest", "from": 5, "to": 4}),
        ("labels", {"account": "x", "kind": "honest", "source": "late-2024"}),
        ("suppressions", {"account": "x", "until": 1000}),
        ("suppressions", {"account": "x", "until": 4_000_000_000_000}),
        ("suppressions", {"account": "x", "until": START, "from": 0, "kinds": ["loud"]}),
        ("suppressions", {"account": "x", "until": START, "from": START - 1000, "above": 0}),
    ],
)
def test_wrong_decisions_are_refused_in_one_line(console: Console, path: str, body: object) -> None:
    answer = console.tell(path, body)
    assert answer.status == 400, answer.body
    assert "\n" not in answer.json["error"]


def test_a_body_that_is_too_large_is_refused(console: Console) -> None:
    assert console.tell("labels", {"account": "x", "kind": "honest", "note": "n" * 100_000}).status == 413


def test_incidents_are_acknowledged_labelled_and_suppressed(console: Console, store: Store) -> None:
    name = HOSTILE[1]
    (one,) = [one for one in console.found("incidents")["incidents"] if one["entity_id"] == name]
    assert (one["acknowledged"], one["verdict"]) == (False, "")
    assert "was expected" in one["reasons"][0]["words"]
    given = console.signed_in()
    said = {"run": "live", "incident": one["incident_id"], "state": "acknowledged", "note": name}
    assert console.send("POST", "/api/triage", said, **given).status == 200
    (seen,) = console.found("incidents", triage="done")["incidents"]
    assert (seen["entity_id"], seen["acknowledged"], seen["triage_note"]) == (name, True, name)
    assert len(console.found("incidents", triage="waiting")["incidents"]) == len(HOSTILE) - 1
    assert console.tell("triage", {**said, "state": "new"}).status == 200
    assert console.found("incidents", triage="done")["incidents"] == []

    assert console.tell("labels", {"account": HOSTILE[0], "kind": "honest", "note": HOSTILE[2]}).status == 200
    (labelled,) = console.found("incidents", triage="done")["incidents"]
    assert (labelled["entity_id"], labelled["verdict"], labelled["verdict_note"]) == (HOSTILE[0], "honest", HOSTILE[2])
    rows = store.query_rows("SELECT account_id, source FROM labels FINAL WHERE kind = 'honest'")
    assert rows == [(HOSTILE[0], "analyst")]

    until = int(time.time() * 1000) + 86_400_000
    assert (
        console.tell("suppressions", {"account": name, "until": until, "kinds": ["volume"], "note": "n"}).status == 200
    )
    by = {one["by"]: one for one in console.found("suppressions")["suppressions"]}
    assert (by["suppress"]["account"], by["suppress"]["until"], by["suppress"]["kinds"]) == (name, until, ["volume"])
    assert by["label"]["account"] == HOSTILE[0]
    assert console.tell("suppressions/lift", {"account": name, "kinds": ["volume"]}).status == 200
    assert [one["by"] for one in console.found("suppressions")["suppressions"]] == ["label"]


def test_a_page_that_listens_hears_of_what_was_written(console: Console, store: Store) -> None:
    import http.client

    given = console.signed_in()
    connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=20)
    connection.request("GET", "/api/live", headers={"Cookie": given["Cookie"]})
    lines = connection.getresponse()
    assert lines.headers["Content-Type"].startswith("text/event-stream")
    first = [lines.readline() for _ in range(3)]
    assert first[0] == b"event: at\n"
    store.command(
        "INSERT INTO suppressions (account, kinds, since, until, above, note) SELECT 'x', [], now(), now(), 7, ''"
    )
    second = [lines.readline() for _ in range(3)]
    assert second[0] == b"event: at\n"
    assert second[1] != first[1]
    connection.close()


def test_a_store_that_is_held_is_one_line_and_is_opened_when_it_is_free(console: Console, address: str) -> None:
    held = [True]

    def opened() -> Store:
        if held[0]:
            raise StoreHeldError("store x is held by process 7: stop it")
        return connect(address)

    with served(opened) as other:
        answer = other.ask("runs")
        assert (answer.status, answer.json) == (503, {"error": "store x is held by process 7: stop it"})
        assert other.send("GET", "/").status == 200
        held[0] = False
        deadline = time.monotonic() + 20
        while other.ask("runs").status == 503 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert other.ask("runs").status == 200


def test_every_file_of_the_page_is_served(console: Console) -> None:
    static = Path(__file__).parents[2] / "pipeline" / "console" / "static"
    for file in static.rglob("*.*"):
        path = "/" if file.name == "index.html" else f"/static/{file.relative_to(static)}"
        answer = console.send("GET", path)
        assert (answer.status, answer.body) == (200, file.read_bytes())
        assert console.send("GET", path, If_None_Match=answer.headers["Etag"]).status == 304
