"""The console in Chromium: what an analyst does, by mouse and by key, on any width, with names that would do harm."""

import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from console_support import CAMPAIGN, HOSTILE, TOKEN, Console, draw_much, fill, served

from pipeline.settings import Settings, StoreSettings
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
READY = "main:not([aria-busy]) h1"


def address_of(page: str, **given: str) -> str:
    return f"#/{page}?{urllib.parse.urlencode(given)}"


def incident_of(console: Console, account: str) -> str:
    found: list[dict[str, str]] = console.found("incidents")["incidents"]
    return next(one["incident_id"] for one in found if one["entity_id"] == account)


@pytest.fixture(scope="module")
def store_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"chdb:{tmp_path_factory.mktemp('console') / 'store'}"


@pytest.fixture(scope="module")
def store(store_address: str) -> Iterator[Store]:
    with connect(store_address) as opened:
        migrate(opened)
        fill(opened)
        draw_much(opened, "much")
        yield opened


@pytest.fixture(scope="module")
def console(store: Store, store_address: str) -> Iterator[Console]:
    with served(lambda: connect(store_address), Settings(store=StoreSettings(address=store_address))) as running:
        yield running


class Visit:
    """A signed-in page of a browser of its own, and what went wrong in it."""

    def __init__(self, chromium: Any, console: Console, **options: Any) -> None:
        self.console = console
        self.context = chromium.new_context(**{"viewport": DESK, **options})
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append(dialog.message), dialog.dismiss()))
        self.page.on("request", self._asked)
        self.page.goto(f"{console.url}#token={TOKEN}")
        self.page.wait_for_selector(READY)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.console.url):
            self.elsewhere.append(request.url)

    def go(self, where: str) -> None:
        self.page.goto(self.console.url + where)
        self.page.wait_for_selector(READY)


@pytest.fixture
def visit(chromium: Any, console: Console) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def begin(**options: Any) -> Visit:
        visits.append(Visit(chromium, console, **options))
        return visits[-1]

    yield begin
    for one in visits:
        one.context.close()
        assert one.wrong == []
        assert one.elsewhere == []


def every_page(console: Console) -> list[str]:
    account = HOSTILE[0]
    return [
        address_of("accounts", days="31"),
        address_of("account", id=account),
        address_of("incidents", triage="all"),
        address_of("incident", id=incident_of(console, account)),
        address_of("campaigns"),
        address_of("campaign", id=CAMPAIGN),
        address_of("stream"),
        address_of("replays", compare=json.dumps(["live", "<i>again</i>", "plain"])),
    ]


def test_the_token_leaves_the_address_and_a_wrong_one_is_refused(chromium: Any, console: Console) -> None:
    page = chromium.new_page()
    page.goto(console.url)
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("is not this console's token").wait_for()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Accounts by risk").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("Signed out.").wait_for()
    page.goto(f"{console.url}#token={TOKEN}")
    page.get_by_role("heading", name="Accounts by risk").wait_for()
    assert TOKEN not in page.url
    page.close()


def test_from_the_ranking_to_an_account_its_incident_and_what_is_decided(
    visit: Callable[..., Visit], console: Console, store: Store
) -> None:
    page = visit().page
    name = HOSTILE[2]
    page.get_by_role("link", name=name).click()
    page.get_by_role("heading", name=f"Account {name}").wait_for()
    assert page.locator(".chart canvas").count() == 3
    page.get_by_role("link", name="volume").first.click()
    page.get_by_role("heading", name="Why").wait_for()
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("Done: acknowledged.").wait_for()
    page.get_by_role("button", name="Put back").wait_for()

    page.get_by_role("button", name="Label…").click()
    page.get_by_label("It was").fill("not a kind")
    page.get_by_role("button", name="Label", exact=True).click()
    assert page.get_by_role("dialog").is_visible()
    page.get_by_label("It was").fill("honest")
    page.get_by_label("because").fill(HOSTILE[0])
    page.get_by_role("button", name="Label", exact=True).click()
    page.get_by_text("labelled honest", exact=True).first.wait_for()

    page.get_by_role("button", name="Suppress…").click()
    page.locator("select[name=hours]").select_option("3 days")
    page.get_by_role("button", name="Suppress", exact=True).click()
    page.get_by_text("Done: suppressed.").wait_for()
    page.get_by_role("link", name="Incidents", exact=True).click()
    suppressions = page.get_by_role("region", name="open no incident for a time")
    suppressions.get_by_role("button", name="Lift").click()
    suppressions.get_by_role("button", name="Lift").wait_for(state="detached")

    state = store.query_rows(
        "SELECT state FROM incident_triage FINAL WHERE incident_id = {id:String}", {"id": incident_of(console, name)}
    )
    assert state == [("acknowledged",)]
    labels = store.query_rows(
        "SELECT kind, note FROM labels FINAL WHERE source = 'analyst' AND account_id = {a:String}", {"a": name}
    )
    assert labels == [("honest", HOSTILE[0])]


def test_campaign_stream_and_replays(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name="8 accounts").click()
    page.get_by_role("heading", name=f"Campaign {CAMPAIGN}").wait_for()
    assert page.locator(".graph .member").count() == len(HOSTILE)
    assert page.locator(".graph .value").count() == len(HOSTILE)
    page.locator(".graph .member").first.focus()
    assert page.locator(".graph path.lit").count() == len(HOSTILE)
    page.get_by_role("link", name="Stream").click()
    page.get_by_role("heading", name="Rejected in the latest 7 days").wait_for()
    assert page.get_by_text("no worker answers", exact=True).is_visible()
    page.get_by_role("link", name="Replays").click()
    page.get_by_role("checkbox", name="compare <i>again</i>").check()
    page.get_by_role("checkbox", name="compare plain").check()
    page.get_by_role("heading", name="Settings that differ").wait_for()
    figures = page.get_by_role("region", name="Figures of the runs")
    assert figures.get_by_role("row", name=re.compile("^incidents")).inner_text().split() == [
        "incidents",
        "8",
        "0",
        "0",
    ]
    # What is chosen is in the address, so that it can be sent to somebody.
    page.reload()
    page.get_by_role("heading", name="Settings that differ").wait_for()


def test_by_keys_alone(visit: Callable[..., Visit]) -> None:
    page = visit().page
    press = page.keyboard.press
    for key in ("j", "j", "k", "Enter"):
        press(key)
    page.get_by_role("heading", name="Over time").wait_for()
    chart = page.get_by_role("slider", name="Output tokens over time")
    chart.focus()
    press("End")
    press("ArrowLeft")
    assert "104 output tokens" in (chart.get_attribute("aria-valuetext") or "")
    assert page.locator(".tip:visible").count() == 3
    press("+")
    page.wait_for_url(re.compile("from="))
    press("0")
    page.wait_for_url(re.compile("^(?!.*from=)"))
    press("Escape")
    page.locator("h1").focus()
    press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    press("Escape")
    press("/")
    page.keyboard.type("DROP")
    page.get_by_role("link", name=f"account {HOSTILE[2]}").wait_for()
    press("ArrowDown")
    press("Enter")
    page.get_by_role("heading", name=f"Account {HOSTILE[2]}").wait_for()
    for key in ("g", "i"):
        press(key)
    page.get_by_role("heading", name="Incidents", exact=True).wait_for()
    page.get_by_role("button", name="All", exact=True).click()
    page.wait_for_url(re.compile("triage=all"))
    page.wait_for_selector(READY)
    press("j")
    press("l")
    page.get_by_role("dialog").wait_for()
    press("Escape")
    assert page.locator("article:focus").count() == 1


def test_ten_thousand_points_are_drawn_and_read_one_by_one(visit: Callable[..., Visit]) -> None:
    one = visit()
    one.go(address_of("account", id="much", window="60"))
    chart = one.page.get_by_role("slider", name="Output tokens over time")
    assert chart.get_attribute("data-points") == "10000"
    assert one.page.get_by_role("slider", name="Scores of calls").get_attribute("data-points") == "10000"
    # The one window that drew a hundred times as much is among what is drawn, though a pixel stands for nine windows.
    box = chart.bounding_box()
    assert box is not None
    one.page.mouse.move(box["x"] + 46 + (box["width"] - 54) * 5000.5 / (7 * 1440), box["y"] + 60)
    assert "100,100 output tokens" in one.page.locator(".tip").first.inner_text()
    # Dragging zooms, and the address keeps it.
    one.page.mouse.down()
    one.page.mouse.move(box["x"] + box["width"] - 60, box["y"] + 60, steps=4)
    one.page.mouse.up()
    one.page.wait_for_url(re.compile("from=[0-9]+"))
    one.page.get_by_text("As a table").click()
    assert one.page.get_by_role("region", name="Days of the account").is_visible()


def test_what_comes_live_leaves_focus_and_scroll(visit: Callable[..., Visit], store: Store) -> None:
    one = visit(viewport={"width": 1280, "height": 300})
    page = one.page
    page.locator("#live[data-state=connected]").wait_for()
    link = page.get_by_role("link", name=HOSTILE[3])
    link.scroll_into_view_if_needed()
    link.focus()
    before = link.bounding_box()
    page.wait_for_timeout(2500)
    store.command(
        "INSERT INTO call_scores (run_id, account_id, ts, event_id, score) "
        "SELECT 'live', 'newcomer', toDateTime64('2024-12-01', 3, 'UTC'), toString(number), 0.1 FROM numbers(9)"
    )
    page.get_by_role("link", name="newcomer").wait_for()
    assert page.locator("a:focus").inner_text() == HOSTILE[3]
    assert link.bounding_box() == before


def test_hostile_names_are_text_on_every_page(visit: Callable[..., Visit], console: Console) -> None:
    one = visit()
    pages = [*every_page(console), *(address_of("account", id=name) for name in HOSTILE[1:])]
    for where in [
        *pages,
        address_of("account", id="<b>nobody</b>"),
        address_of("<img src=x>"),
        address_of("accounts", run=HOSTILE[0]),
    ]:
        one.go(where)
        assert one.page.locator("main :is(script, img, iframe, b, i, u)").count() == 0, where
        assert "harmed" not in one.page.title().partition("·")[2]
        assert "\u202e" not in one.page.locator("main").inner_text(), where
    # Refused questions are no fault of the page.
    one.wrong = [text for text in one.wrong if "404" not in text]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_page_is_accessible_and_fits(
    visit: Callable[..., Visit], console: Console, serious: Callable[..., list[str]], scheme: str, size: dict[str, int]
) -> None:
    # Without the policy, which would keep the test's own scripts out.
    one = visit(viewport=size, color_scheme=scheme, bypass_csp=True)
    for where in every_page(console):
        one.go(where)
        assert serious(one.page) == [], where
        assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
        shown = one.page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", shown)[:3])) > 380) == (scheme == "light")


def test_read_only_offers_no_decision(chromium: Any, store: Store, store_address: str) -> None:
    with served(lambda: connect(store_address), read_only=True) as other:
        one = Visit(chromium, other)
        one.go(address_of("incidents", triage="all"))
        assert one.page.locator("article").count() == len(HOSTILE)
        assert one.page.get_by_role("button", name=re.compile("Acknowledge|Label|Suppress")).count() == 0
        one.context.close()
