"""`stillwatch replay tune`: a search for settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.command_line.connect import open_store
from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.settings import Settings
    from pipeline.store.client import Store
    from pipeline.store.records import Label
    from replay.tuning.ground import Ground
    from replay.tuning.material import Material
    from replay.tuning.outcome import TuneReport
    from replay.tuning.space import Dimension
    from replay.window import Window

Texts = tuple[str, ...]


def tune(
    run_id: str | None = None,
    /,
    *,
    input: Annotated[Texts, Parameter(name="--input", negative=(), consume_multiple=True)] = (),  # noqa: A002
    source: Annotated[str | None, Parameter(name="--source")] = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    labels: Annotated[Path | None, Parameter(name="--labels")] = None,
    search: Annotated[Texts, Parameter(name="--search", negative=())] = (),
    search_file: Annotated[Path | None, Parameter(name="--search-file")] = None,
    minimise: Annotated[str | None, Parameter(name="--minimise")] = None,
    maximise: Annotated[str | None, Parameter(name="--maximise")] = None,
    subject_to: Annotated[Texts, Parameter(name="--subject-to", negative=())] = (),
    window: Annotated[Texts, Parameter(name="--window", negative=())] = (),
    held_out: Annotated[str | None, Parameter(name="--held-out")] = None,
    trials: Annotated[int, Parameter(name="--trials")] = 50,
    jobs: Annotated[int, Parameter(name="--jobs")] = 1,
    seed: Annotated[int, Parameter(name="--seed")] = 1,
    study: Annotated[Path | None, Parameter(name="--study")] = None,
    resume: Annotated[bool, Parameter(name="--resume", negative=())] = False,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    report: Annotated[Path | None, Parameter(name="--report")] = None,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Search for settings that are best by an objective, over windows of time, and judge them by a window held out.

    Parameters
    ----------
    run_id
        A run whose stored evidence is enough where only thresholds are searched; else give --input or --source.
    input
        Log files with the events.
    source
        clickhouse: the events of the table api_calls.
    from_
        Events from here on are taken in, so that the engine knows what is usual when the first window begins; all by default.
    labels
        CSV of labels; the table labels by default.
    search
        KEY=LOW..HIGH (with " log" behind it in logarithms) or KEY=A,B,C; may be repeated. Detectors by name:
        engine.detectors.NAME.enabled=true,false, engine.detectors.NAME.features.FEATURE=true,false,
        engine.detectors.NAME.parameters.P=LOW..HIGH.
    search_file
        TOML file with the same in a table [search].
    minimise
        Figure whose mean over the windows is to be small: leaked, leaked_median, median_hours_to_detect, false_alerts,
        false_alerts_per_1000_account_days, alerts_per_day.
    maximise
        Figure that is to be large: recall, precision.
    subject_to
        FIGURE<=NUMBER or FIGURE>=NUMBER, which each window must keep; may be repeated.
    window
        FROM..TO that trials are judged by; may be repeated.
    held_out
        FROM..TO that the search never sees; the outcome is judged by it too.
    trials
        Settings that are tried.
    jobs
        Processes that try them.
    seed
        Seed of the search; with one process equal seeds give equal outcomes.
    study
        File that keeps the trials.
    resume
        Go on with the study of that file, with so many more trials.
    output
        Settings file to write.
    report
        JSON file with everything.
    json
        Print that JSON.
    """
    if sum(map(bool, (run_id, input, source))) > 1:
        raise Misuse("replay tune: give one of RUN, --input and --source")
    if source not in (None, "clickhouse"):
        raise Misuse(f"--source {source!r}: events are taken from clickhouse or --input")
    if trials < 1 or jobs < 1:
        raise Misuse("--trials and --jobs must be 1 or more")
    if resume and study is None:
        raise Misuse("--resume goes on with a study: name its file with --study")
    try:
        from replay.tuning.outcome import report_of, settings_file
        from replay.tuning.study import Question
        from replay.tuning.study import search as search_settings
    except ModuleNotFoundError as error:
        raise Failure(f"replay tune needs {error.name}: pip install 'stillwatch[tune]'") from error
    from replay.errors import ReplayError
    from replay.recorded import engine_settings_of
    from replay.truth import labels_of_file, labels_of_store
    from replay.tuning.objective import objective
    from replay.tuning.space import check_space, dimension, dimensions_of_file, only_decides

    settings = (common or Common()).settings()
    try:
        windows = _windows(window, held_out)
        wanted = objective(minimise, maximise, subject_to)
        asked = [*map(dimension, search), *(dimensions_of_file(search_file) if search_file is not None else ())]
        space = check_space(settings, asked)
    except ReplayError as error:
        raise Misuse(str(error)) from None
    decides = only_decides(space)
    if run_id is not None and not decides:
        raise Misuse(
            "replay tune RUN searches thresholds only; for what the engine sees give --input or --source clickhouse"
        )
    truth = None if labels is None else labels_of_file(labels)
    with open_store(settings, migrated=not input or truth is None) as store:
        truth = labels_of_store(store) if truth is None else truth
        if run_id is not None:
            from msgspec.structs import replace

            settings = replace(settings, engine=engine_settings_of(store, run_id, settings))
        material, grounds = _material(store, run_id, input, from_, settings, truth, windows, space, decides)
    unseen = grounds.pop() if held_out is not None else None
    question = Question(settings, tuple(space), wanted, tuple(sorted(grounds, key=_end)), seed)
    found = search_settings(material, question, trials=trials, jobs=jobs, file=study, resume=resume)
    told = report_of(
        found,
        material,
        question,
        unseen,
        source=f"run {run_id}" if run_id else ", ".join(input) or "clickhouse",
        file=str(study or ""),
    )
    _write(output, settings_file(told, settings))
    _write(report, _json(told))
    if json:
        from pipeline.command_line.show import print_json

        print_json(told)
    else:
        _print(told, output)
    return 0


def _windows(texts: Sequence[str], held_out: str | None) -> list[Window]:
    # Those of the search, then the one held out.
    from replay.errors import ReplayError
    from replay.window import window_between

    if not texts:
        raise ReplayError("give at least one --window FROM..TO that trials are judged by")
    windows = [window_between(text, "--window") for text in texts]
    if held_out is not None:
        unseen = window_between(held_out, "--held-out").bounds
        for one in windows:
            if one.bounds["from_ms"] < unseen["to_ms"] and unseen["from_ms"] < one.bounds["to_ms"]:
                raise ReplayError(
                    f"--held-out {held_out} and --window {one} have time in common: the search would see it"
                )
        windows.append(window_between(held_out, "--held-out"))
    return windows


def _material(
    store: Store,
    run_id: str | None,
    files: Sequence[str],
    start: str | None,
    settings: Settings,
    labels: Sequence[Label],
    windows: Sequence[Window],
    space: Sequence[Dimension],
    decides: bool,
) -> tuple[Material, list[Ground]]:
    from pipeline.sources import SourceOptions
    from replay.tuning.columns import streams_of_files, streams_of_store
    from replay.tuning.material import material_of_events, material_of_run
    from replay.window import Window, window_of

    if run_id is not None:
        lowest = [one.low for one in space if one.key == "engine.incident.close_at" and not one.choices]
        named_from = min([settings.engine.incident.close_at, *lowest])
        return material_of_run(store, run_id, labels, windows, named_from)
    events = Window(window_of(start, None).from_ms, max(one.bounds["to_ms"] for one in windows))
    partitions = settings.stream.partitions
    if files:
        options = SourceOptions(received_at=time.time_ns() // 1_000_000, limits=settings.event)
        streams = streams_of_files(files, options, partitions, events)
    else:
        streams = streams_of_store(store, partitions, events)
    return material_of_events(streams, settings, labels, windows, decides=decides)


def _end(ground: Ground) -> int:
    return ground.window.bounds["to_ms"]


def _json(told: TuneReport) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"


def _write(path: Path | None, text: str) -> None:
    if path is None:
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path}: cannot be written: {error.strerror or error}") from error


def _print(told: TuneReport, output: Path | None) -> None:
    from pipeline.command_line.show import print_lines, print_table
    from replay.command_line.figures import print_sides

    print_table("best settings", ("key", "value"), list(told.settings.items()), [False, False])
    before = "nothing" if told.value_before is None else f"{told.value_before:.4g}"
    kept = "" if told.kept_before else ", which breaks the bounds"
    print_lines(
        [
            f"{told.objective}{' subject to ' + ', '.join(told.subject_to) if told.subject_to else ''}: {told.value:.4g}, "
            f"before {before}{kept}",
            f"trial {told.best_trial} of {told.trials}; {told.pruned} were given up early, {told.impossible} of them since "
            "their settings do not go together",
        ]
    )
    for one in told.windows:
        print_lines([f"window {one.window}"])
        print_sides([("as they are", one.before), ("best", one.after)])
    if told.held_out is not None:
        print_lines([f"held out {told.held_out.window}, which the search has not seen"])
        print_sides([("as they are", told.held_out.before), ("best", told.held_out.after)])
    if output is not None:
        print_lines([f"settings are in {output}"])
