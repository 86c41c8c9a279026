"""The report as people see it: at desktop and phone width, light and dark, with the figures that `replay evaluate` gives."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from report_support import HOSTILE, label, write_run

from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from replay.evaluate import load_and_evaluate
from replay.report.page import report

TRUTH = [
    label("mallory"),
    label("eve", "ramp"),
    label("calm", kind="load_test"),
    label("quiet", "stolen_key"),
    *(label(name, "pool") for name in HOSTILE),
]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('report') / 'store'}") as opened:
        migrate(opened)
        write_run(opened, "one", ("mallory", "calm", "eve"), HOSTILE)
        write_run(opened, "two", ("mallory", HOSTILE[0]))
        yield opened


@pytest.fixture(scope="module")
def file(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report(store, ["one", "two"], TRUTH), encoding="utf-8")
    return path


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_is_accessible_and_asks_for_nothing(chromium, serious, file, viewport, scheme):
    page = chromium.new_page(viewport=viewport, color_scheme=scheme)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert page.locator(".plot").count() > 10
    for drawn in page.locator("svg.area, svg.lane, .graph").all():
        box = drawn.bounding_box()
        assert box is not None
        assert box["width"] > 100
        assert box["x"] + box["width"] <= viewport["width"]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 20)"
    assert dark == (scheme == "dark")
    # axe runs as script of the tests', which the page's own policy would refuse.
    page.close()
    free = chromium.new_page(viewport=viewport, color_scheme=scheme, bypass_csp=True)
    free.goto(file.as_uri())
    assert serious(free) == []
    free.close()
    assert asked == [file.as_uri()]
    assert said == []


def test_the_numbers_on_the_page_are_those_of_evaluate(chromium, store, file):
    found = json.loads(msgspec.json.encode(load_and_evaluate(store, "one", TRUTH)))
    page = chromium.new_page(viewport=DESKTOP)
    page.goto(file.as_uri())
    every = found["kinds"][-1]
    figures = {
        name: page.locator(f"[data-figure={name}]").inner_text() for name in ("recall", "precision", "leaked", "false")
    }
    assert figures == {
        "recall": f"{every['recall']:.1%}",
        "precision": f"{found['precision']:.1%}",
        "leaked": f"{every['leaked']:.1%}",
        "false": f"{found['false_alerts_per_1000_account_days']:.2f}",
    }
    for kind in found["kinds"]:
        cells = page.locator(f"[data-kind={kind['kind']}] td").all_inner_texts()
        assert cells[:3] == [str(kind["labels"]), str(kind["found"]), f"{kind['recall']:.1%}"]
    other = load_and_evaluate(store, "two", TRUTH)
    assert page.locator("[data-run=two] td").first.inner_text() == f"{other.kinds[-1].recall:.1%}"
    page.close()


def test_names_that_mean_harm_do_none(chromium, file):
    page = chromium.new_page(viewport=PHONE)
    page.goto(file.as_uri())
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0
    names = page.locator(".lanes .who .id").all_inner_texts()
    assert any("<script>" in name for name in names)
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).display") != "none"
    page.close()


def test_the_page_is_whole_without_script_and_tells_values_with_it(chromium, file):
    context = chromium.new_context(java_script_enabled=False, viewport=DESKTOP)
    still = context.new_page()
    still.goto(file.as_uri())
    assert still.locator("article.account").count() >= 4
    assert still.locator(".readout").count() == 0
    context.close()
    page = chromium.new_page(viewport=DESKTOP)
    page.goto(file.as_uri())
    chart = page.locator("article.account").first.locator("svg.area").first
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] * 0.7, "y": 20})
    told = page.locator("article.account .readout:visible").inner_text()
    assert told.startswith("2024-12-07 ")
    assert told.endswith(": 10,000 output tokens per hour")
    page.close()
