"""The page: everything read and drawn, then put into the template."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from pipeline.store.client import Store
from pipeline.store.records import Label, ReplayRun, read_runs
from replay.compare import Comparison, load_and_compare
from replay.errors import ReplayError
from replay.evaluate import Evaluation, load_and_evaluate, read_detections
from replay.report import words
from replay.report.account_charts import account_charts, reasons_shown
from replay.report.accounts import Account, accounts_that_matter, first_of_each, labels_that_extract
from replay.report.curves import calibration_plot, trade_off_plot
from replay.report.data import (
    Campaign,
    Float64,
    Series,
    Span,
    Story,
    read_campaigns,
    read_evidence,
    read_series,
    read_span,
    read_stories,
    read_totals,
    read_traffic,
)
from replay.report.graph import MOST_MEMBERS, campaign_graph, kinds_of_evidence
from replay.report.judgement import evidence_peaks, read_calibration, trade_offs
from replay.report.markup import SENTENCE, TOLD, shown
from replay.report.scale import day_text, short
from replay.report.timeline import lane, lanes_axis, traffic_plot

#: What a page has room for; accounts with charts are the reader's choice.
MOST_LANES, MOST_CAMPAIGNS, MOST_NAMES, MOST_INCIDENTS = 40, 4, 200, 12
#: Members read of each campaign: more than are drawn, for the counts of evidence.
_MEMBERS_READ = 200
#: Characters of a run's settings that are shown.
_MOST_SETTINGS = 20_000
#: As far as the windows of two runs of the same events may lie apart.
_SAME_WINDOW_MS = 3_600_000


def report(store: Store, run_ids: Sequence[str], labels: Sequence[Label], *, most_accounts: int = 12) -> str:
    """The page on the first of the runs, and the others beside it.

    Raises `ReplayError`, one line, when a run is not known or has no closed windows, or when they cover different windows.
    """
    windows = {run_id: _window(store, run_id) for run_id in dict.fromkeys(run_ids)}
    first, *others = windows
    for other in others:
        _require_same_window(first, windows[first], other, windows[other])
    evaluations = {run_id: load_and_evaluate(store, run_id, labels) for run_id in windows} if labels else {}
    comparisons = [load_and_compare(store, first, other, labels or None) for other in others]
    content = {
        **_run(store, first, windows[first], labels, evaluations.get(first), most_accounts),
        "run_ids": [first, *others],
        "evaluations": list(evaluations.values()),
        "comparisons": [_comparison(one) for one in comparisons],
        "facts": _facts(store, [first, *others], windows),
    }
    return str(_template().render(**content))


def _window(store: Store, run_id: str) -> Span:
    window = read_span(store, run_id)
    if window is None:
        known = {run.run_id for run in read_runs(store)} | {"live"}
        if run_id in known:
            raise ReplayError(f"run {run_id} has no closed windows: nothing was scored, or nothing is written yet")
        names = ", ".join(sorted(known)[:10])
        raise ReplayError(f"run {run_id} is not in this store: it has {names}; `stillwatch replay run` makes one")
    return window


def _require_same_window(a: str, one: Span, b: str, other: Span) -> None:
    if max(abs(one.from_ms - other.from_ms), abs(one.to_ms - other.to_ms)) > _SAME_WINDOW_MS:
        told = [f"{day_text(window.from_ms)} to {day_text(window.to_ms)}" for window in (one, other)]
        raise ReplayError(
            f"runs {a} and {b} cover different windows ({told[0]}; {told[1]}): replay both with the same --from and --to"
        )


def _run(
    store: Store, run_id: str, window: Span, labels: Sequence[Label], evaluation: Evaluation | None, most_accounts: int
) -> dict[str, Any]:
    detections = read_detections(store, run_id)
    extracting = labels_that_extract(labels)
    names = sorted({one.account_id for one in detections} | extracting)
    accounts = accounts_that_matter(labels, detections, read_totals(store, run_id, names))
    laned = first_of_each(accounts, MOST_LANES)
    charted = sorted(
        first_of_each(accounts, most_accounts, a_campaign=2),
        key=lambda one: (one.campaign is not None, one.outcome_rank, -one.totals.output_tokens),
    )
    series = read_series(store, run_id, sorted({one.account_id for one in [*laned, *charted]}), window.step_ms)
    campaigns = read_campaigns(store, run_id, most=MOST_CAMPAIGNS, most_members=_MEMBERS_READ)
    entities = [one.account_id for one in charted] + [one.campaign_id for one in campaigns]
    stories = read_stories(store, run_id, entities)
    evidence = read_evidence(store, run_id, [one.account_id for one in charted])
    incidents = {one.incident_id: one.entity_type for one in detections}
    seen = {one.account_id for one in accounts if one.account_id in extracting}
    found_campaigns = len({one.entity_id for one in detections if one.entity_type == "campaign"})
    return {
        "run_id": run_id,
        "window": window,
        "headline": words.headline(evaluation, list(incidents.values()).count("account"), found_campaigns),
        "sentences": words.sentences(evaluation, window),
        "figures": words.figures(evaluation) if evaluation is not None and evaluation.kinds[-1].labels else [],
        "evaluation": evaluation,
        "traffic": traffic_plot(read_traffic(store, run_id, window.step_ms), window),
        "lanes": [(one, lane(one, series.get(one.account_id), window)) for one in laned],
        "lanes_axis": lanes_axis(window),
        "outcomes": Counter(one.outcome for one in accounts),
        "lanes_left_out": _left_out(accounts, laned),
        "charted": [
            _account(
                one, series.get(one.account_id), evidence.get(one.account_id), stories.get(one.account_id, []), window
            )
            for one in charted
        ],
        "charted_left_out": _left_out(accounts, charted),
        "campaigns": [_campaign(one, stories.get(one.campaign_id, []), extracting) for one in campaigns],
        "campaigns_left_out": found_campaigns - len(campaigns),
        "trade_off": trade_off_plot(
            trade_offs(evidence_peaks(detections), seen), evaluation.curve if evaluation is not None else None
        )
        if seen
        else None,
        "calibration": calibration_plot(read_calibration(store, run_id, extracting)),
        "labels_known": bool(labels),
    }


def _account(
    account: Account,
    series: Series | None,
    evidence: tuple[Float64, Float64] | None,
    stories: Sequence[Story],
    window: Span,
) -> dict[str, Any]:
    strongest = max(stories, key=lambda one: one.peak_score, default=None)
    return {
        "account": account,
        "charts": account_charts(account, series, evidence, window) if series is not None else [],
        "stories": stories[:MOST_INCIDENTS],
        "stories_left_out": max(len(stories) - MOST_INCIDENTS, 0),
        "reasons": reasons_shown(strongest.reasons) if strongest else [],
        "after": _after(account),
    }


def _after(account: Account) -> str:
    alert = account.first_alert
    if alert is None or not account.labels:
        return ""
    hours = (alert.detected_at - account.begins) / 3_600_000
    return f"{words.duration(hours)} after it began" if hours >= 0 else ""


def _campaign(campaign: Campaign, stories: Sequence[Story], extracting: set[str]) -> dict[str, Any]:
    labelled = sum(member.account_id in extracting for member in campaign.first)
    return {
        "campaign": campaign,
        "graph": campaign_graph(campaign),
        "drawn": min(len(campaign.first), MOST_MEMBERS),
        "read": len(campaign.first),
        "labelled": labelled,
        "evidence": kinds_of_evidence(campaign),
        "stories": stories[-MOST_INCIDENTS:],
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "found": found,
        "counts": [(name.replace("_", " "), count, found.counts_b[name]) for name, count in found.counts_a.items()],
        "gained": found.gained[:MOST_INCIDENTS],
        "lost": found.lost[:MOST_INCIDENTS],
        "accounts": found.accounts[:MOST_INCIDENTS],
        "tests": words.tests(found.significance) if found.significance is not None else [],
    }


def _left_out(accounts: Sequence[Account], kept: Sequence[Account]) -> dict[str, Any]:
    here = {one.account_id for one in kept}
    gone = [one for one in accounts if one.account_id not in here]
    counts: dict[str, int] = {}
    for one in gone:
        counts[one.outcome] = counts.get(one.outcome, 0) + 1
    return {"count": len(gone), "outcomes": counts, "names": [one.account_id for one in gone[:MOST_NAMES]]}


def _facts(store: Store, run_ids: Sequence[str], windows: Mapping[str, Span]) -> list[dict[str, Any]]:
    runs = {run.run_id: run for run in read_runs(store)}
    return [
        {"run_id": run_id, "run": runs.get(run_id), "window": windows[run_id], "settings": _settings(runs.get(run_id))}
        for run_id in run_ids
    ]


def _settings(run: ReplayRun | None) -> str:
    if run is None:
        return ""
    text = msgspec.json.format(run.config.encode(), indent=2).decode()
    return text if len(text) <= _MOST_SETTINGS else text[:_MOST_SETTINGS] + "\n…"


@cache
def _template() -> Any:
    folder = resources.files(__package__).joinpath("template")
    texts = {name: folder.joinpath(name).read_text("utf-8") for name in ("report.html", "report.css", "report.js")}
    environment = Environment(
        loader=DictLoader({"report.html": texts["report.html"]}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = texts["report.js"]
    environment.globals |= {
        "css": Markup(texts["report.css"]),
        "script": Markup(script),
        "script_hash": "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    environment.filters |= {
        "shown": shown,
        "told": lambda text: shown(text, TOLD),
        "sentence": lambda text: shown(text, SENTENCE),
        "moment": day_text,
        "short": short,
        "share": lambda value: "" if value is None else f"{value:.1%}",
        "number": lambda value: "" if value is None else f"{value:.2f}",
        "duration": lambda value: "" if value is None else words.duration(value),
    }
    return environment.get_template("report.html")
