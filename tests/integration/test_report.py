"""A report of runs in a store: its figures, its bounds, what goes wrong, and names that mean harm."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_support import DAYS, HOSTILE, label, write_run

from pipeline.command_line.run import run
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.store.records import ReplayRun, save_run, write_labels
from replay.command_line import build_full_app
from replay.report.page import report

TRUTH = [label("mallory"), label("missed"), label("calm", kind="load_test"), *(label(name, "pool") for name in HOSTILE)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('report') / 'store'}") as opened:
        migrate(opened)
        write_run(opened, "plain", ("mallory", "calm", "missed-not"))
        write_run(opened, "hostile", ("mallory", HOSTILE[0]), HOSTILE)
        write_run(opened, "short", days=6)
        save_run(
            opened,
            ReplayRun(
                run_id="empty", created_at=0, source="files", from_ms=None, to_ms=None, config="{}", code_version="1"
            ),
        )
        yield opened


class Outline(HTMLParser):
    """Elements by tag, and where anything could be loaded from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts = 0
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.sources += [str(named[name]) for name in ("src", "href", "action", "srcset") if name in named]
        assert not [name for name in named if name.startswith("on")], (tag, attrs)


def test_the_figures_are_those_of_the_evaluation(store: Store) -> None:
    page = report(store, ["plain"], [*TRUTH, label("missed-not", kind="benign")])
    figures = dict(re.findall(r'data-figure="(\w+)">([^<]+)<', page))
    assert figures["recall"] == "100.0%"
    assert figures["precision"] == "33.3%"
    assert figures["false"] == f"{1000 * 2 / (4 * DAYS):.2f}"
    assert "<h1>The only extractor was found within 2 hours, with 2 false alerts.</h1>" in page
    assert "1 on load test" in page
    # Of three accounts with equal evidence one extracts.
    assert "Average precision of single accounts: 0.333" in page
    assert 'aria-label="evidence of extraction, at most 6.0 nats"' in page
    assert "1 of 1 labels found; 95%: " in page


def test_a_page_is_the_same_each_time_and_loads_nothing(store: Store) -> None:
    page = report(store, ["hostile", "plain"], TRUTH)
    assert page == report(store, ["hostile", "plain"], TRUTH)
    outline = Outline(page)
    assert outline.sources
    assert all(source.startswith("#") for source in outline.sources)
    assert not {"img", "link", "iframe", "object", "base", "form"} & set(outline.tags)
    assert "url(" not in page
    assert "@import" not in page


def test_names_that_mean_harm_are_shown_and_do_none(store: Store) -> None:
    page = report(store, ["hostile"], TRUTH)
    assert Outline(page).tags.count("script") == 1
    assert Outline(page).tags.count("style") == 1
    assert "&lt;script&gt;window.hit" in page
    assert "x" * 300 not in page
    assert "\u202e" not in page
    assert "\\u202etnuocca" in page
    assert "حساب العميل" in page
    assert "{{ 7 * 7 }}" in page


def test_a_report_without_labels_says_so(store: Store) -> None:
    page = report(store, ["plain"], [])
    assert "<h1>3 incidents on accounts and no campaigns.</h1>" in page
    assert "nothing here is judged" in page
    assert "data-figure" not in page
    assert "false alert" not in page


def test_accounts_beyond_the_bound_are_named_not_drawn(store: Store) -> None:
    page = report(store, ["hostile"], [], most_accounts=1)
    assert page.count('<article class="account">') == 1
    assert re.search(r"<summary>8 more accounts left out here \(8 alert\)</summary>", page)


def test_runs_are_compared(store: Store) -> None:
    page = report(store, ["hostile", "plain"], TRUTH)
    assert page.count('data-run="') == 2
    assert "gained by plain" in page
    assert "lost by plain" in page
    assert "McNemar" in page
    assert "Accounts seen differently" in page


@pytest.fixture
def stillwatch(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Run `replay report` on the store; its one line of error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("replay.command_line.report.store_of", lambda _: _Open(store))

    def command(*arguments: str) -> str:
        code = run(build_full_app(), ["replay", "report", *arguments])
        told = capsys.readouterr()
        assert (code == 0) == (told.err == "")
        assert len(told.err.splitlines()) <= 1
        return told.err or told.out

    return command


class _Open:
    """A store that stays open."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "run nobody is not in this store: it has empty, hostile, live, plain, short"),
        (["live"], "run live has no closed windows"),
        (["empty"], "run empty has no closed windows"),
        (["plain", "short"], "runs plain and short cover different windows (1 Dec 2024, 00:00 to 10 Dec 2024"),
        (["plain", "--accounts", "-1"], "--accounts -1 is below 0"),
        ([], "name at least one run"),
        (["plain", "--labels", "none.csv"], "none.csv: labels cannot be read"),
    ],
)
def test_what_cannot_be_reported_is_one_line(stillwatch: Callable[..., str], arguments: list[str], said: str) -> None:
    assert said in stillwatch(*arguments, "-o", "report.html")
    assert not Path("report.html").exists()


@pytest.mark.parametrize(
    ("output", "said"), [(".", "it is a folder"), ("no/where.html", "there is no folder"), ("/proc/x.html", "")]
)
def test_a_file_that_cannot_be_written_is_one_line(stillwatch: Callable[..., str], output: str, said: str) -> None:
    told = stillwatch("plain", "-o", output)
    assert f"{output} cannot be written: {said}" in told


def test_the_command_writes_one_file(stillwatch: Callable[..., str], store: Store) -> None:
    write_labels(store, TRUTH)
    assert stillwatch("plain", "-o", "report.html").startswith("report.html: ")
    page = Path("report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert list(Path().iterdir()) == [Path("report.html")]
