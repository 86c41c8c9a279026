"""What a search ends with: the best settings as a file that says where it comes from, and a report."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec
import optuna
import tomli_w
from optuna.trial import TrialState

from pipeline.settings import Settings
from replay.evaluation import Evaluation
from replay.tuning.ground import Ground
from replay.tuning.material import Material
from replay.tuning.space import Value, applied
from replay.tuning.study import Question, best_of, values_of


class WindowOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A window by the settings as they are, and by the best."""

    window: str
    before: Evaluation
    after: Evaluation


class TuneReport(msgspec.Struct, frozen=True, kw_only=True):
    """A search and its outcome."""

    source: str
    study: str
    """The file of the study; empty when none was kept."""
    code_version: str
    seed: int
    objective: str
    subject_to: tuple[str, ...]
    space: tuple[str, ...]
    """The keys that were searched."""
    trials: int
    pruned: int
    impossible: int
    """Trials whose settings do not go together; among the pruned."""
    best_trial: int
    value_before: float | None
    """The objective over the windows of the search, by the settings as they are."""
    value: float
    kept_before: bool
    """Whether the settings as they are keep the bounds there."""
    settings: dict[str, Value]
    """What the best trial sets."""
    windows: tuple[WindowOutcome, ...]
    held_out: WindowOutcome | None
    """Of the window that the search never saw."""


def report_of(
    study: optuna.Study, material: Material, question: Question, held_out: Ground | None, *, source: str, file: str
) -> TuneReport:
    """Judge the best settings and those as they are by every window, the held-out one too."""
    best = best_of(study, question.objective)
    values = values_of(best, question.space)
    grounds = [*question.grounds, *([held_out] if held_out is not None else [])]
    grounds.sort(key=lambda one: one.window.bounds["to_ms"])
    before = list(material.evaluations(question.settings, grounds))
    after = list(material.evaluations(applied(question.settings, values), grounds))
    outcomes = {
        id(ground): WindowOutcome(window=str(ground.window), before=one, after=other)
        for ground, one, other in zip(grounds, before, after, strict=True)
    }
    searched = [outcomes[id(one)] for one in question.grounds]
    seen = [one.before for one in searched]
    objective = question.objective
    trials = study.trials
    return TuneReport(
        source=source,
        study=file,
        code_version=version("stillwatch"),
        seed=question.seed,
        objective=f"{'minimise' if objective.minimise else 'maximise'} {objective.figure}",
        subject_to=tuple(one.name for one in objective.bounds),
        space=tuple(one.key for one in question.space),
        trials=len(trials),
        pruned=sum(one.state == TrialState.PRUNED for one in trials),
        impossible=sum("impossible" in one.user_attrs for one in trials),
        best_trial=best.number,
        value_before=objective.value(seen),
        value=best.value or 0.0,
        kept_before=all(one.excess(seen) <= 0 for one in objective.bounds),
        settings=values,
        windows=tuple(searched),
        held_out=None if held_out is None else outcomes[id(held_out)],
    )


def settings_file(report: TuneReport, settings: Settings) -> str:
    """The text of a settings file: what verdicts depend on and is not as by default, below comments that say why it is so."""
    document = _different(msgspec.to_builtins(_with(report, settings)), msgspec.to_builtins(Settings()))
    document = {name: document[name] for name in ("engine", "campaigns") if name in document}
    if settings.stream.partitions != Settings().stream.partitions:
        document["stream"] = {"partitions": settings.stream.partitions}
    lines = [
        f"Found by `stillwatch replay tune` of version {report.code_version} on {report.source}.",
        f"Study {report.study or '(not kept)'}, trial {report.best_trial} of {report.trials}, seed {report.seed}.",
        f"{report.objective.capitalize()}{' subject to ' + ', '.join(report.subject_to) if report.subject_to else ''}: "
        f"{report.value:.6g}, before {_text(report.value_before)}.",
        f"Windows: {', '.join(one.window for one in report.windows)}.",
    ]
    if report.held_out is not None:
        told = report.held_out
        lines.append(
            f"Held out: {told.window}, where recall is {told.after.kinds[-1].recall:.3f} (before "
            f"{told.before.kinds[-1].recall:.3f}), leaked {_text(told.after.kinds[-1].leaked)} (before "
            f"{_text(told.before.kinds[-1].leaked)})."
        )
    lines.append("Set by the search:")
    lines += [f"  {key} = {value}" for key, value in report.settings.items()]
    comments = "".join(f"# {line}\n" for line in lines)
    return comments.replace("\r", " ") + "\n" + tomli_w.dumps(document)


def _with(report: TuneReport, settings: Settings) -> Settings:
    return applied(settings, report.settings)


def _different(document: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        before = default.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            below = _different(value, before)
            if below:
                found[name] = below
        elif value != before and value is not None:
            found[name] = _without_none(value)
    return found


def _without_none(value: Any) -> Any:
    # TOML has no null; what is left out is so by default.
    if isinstance(value, dict):
        return {name: _without_none(one) for name, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list | tuple) else value


def _text(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
