"""The search itself: Optuna's sampler over trials, in one process or several, in a file that a later search goes on with.

Settings are drawn by the tree-structured Parzen estimator with the bounds as constraints (Bergstra et al. 2011; Watanabe and
Hutter 2023); a trial that does worse than half of the others by the same window is given up (median stopping, Golovin et al.
2017).
"""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pipeline.detectors.build import DetectorError
from pipeline.settings import Settings, SettingsError
from replay.errors import ReplayError
from replay.evaluation import Evaluation
from replay.tuning.ground import Ground
from replay.tuning.material import Material
from replay.tuning.objective import FIGURES, Objective
from replay.tuning.space import Dimension, Value, applied

_NAME = "replay tune"
#: Apart from what Optuna draws in one process, so that several do not draw the same.
_SEEDS_APART = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched, and what for."""

    settings: Settings
    """Where the search begins; what is not searched stays as it is here."""
    space: tuple[Dimension, ...]
    objective: Objective
    grounds: tuple[Ground, ...]
    """The windows in the order of their ends."""
    seed: int

    @property
    def text(self) -> str:
        """What must be the same for a study to go on."""
        windows = [str(one.window) for one in self.grounds]
        return msgspec.json.encode(
            [self.settings.engine, self.settings.campaigns, self.space, self.objective, windows]
        ).decode()


def search(
    material: Material, question: Question, *, trials: int, jobs: int, file: Path | None, resume: bool
) -> optuna.Study:
    """Run so many more trials. Raises `ReplayError` when the file cannot be gone on with."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        place = file or Path(folder) / "study.journal"
        study = _open(place, question, resume)
        done = len(study.trials)
        if not done:
            _begin_with_present(study, question)
        if jobs <= 1:
            _optimise(study, material, question, trials, question.seed + done)
            return study if file is not None else _in_memory(study)
        kept = Path(folder) / "material.pickle"
        kept.write_bytes(pickle.dumps((material, question), protocol=pickle.HIGHEST_PROTOCOL))
        shares = [trials // jobs + (worker < trials % jobs) for worker in range(jobs)]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            working = [
                pool.submit(_work, place, kept, share, question.seed + done + _SEEDS_APART * worker)
                for worker, share in enumerate(shares)
                if share
            ]
            for one in working:
                one.result()
        return study if file is not None else _in_memory(study)


def best_of(study: optuna.Study, objective: Objective) -> FrozenTrial:
    """The best trial that keeps the bounds. Raises `ReplayError` where there is none."""
    finished = [one for one in study.trials if one.state.is_finished() and "windows" in one.user_attrs]
    if not finished:
        raise ReplayError(
            "no trial came to an end: the settings of the space do not go together, or --trials is too small"
        )
    complete = [one for one in finished if one.state == TrialState.COMPLETE]
    kept = [one for one in complete if all(value <= 0 for value in (one.constraints or {}).values())]
    if not kept:
        nearest = min(finished, key=lambda one: sum(max(0.0, value) for value in (one.constraints or {}).values()))
        beyond = ", ".join(f"{name} by {value:g}" for name, value in (nearest.constraints or {}).items() if value > 0)
        raise ReplayError(
            f"none of {len(finished)} trials keeps the bounds; the nearest breaks {beyond}: search wider, or longer"
        )
    # The earliest of equals: the present settings, if nothing is better.
    return min(kept, key=lambda one: (_sign(objective) * (one.value or 0.0), one.number))


def values_of(trial: FrozenTrial, space: Sequence[Dimension]) -> dict[str, Value]:
    """The settings of a trial."""
    return {one.key: trial.params[one.key] for one in space}


def figures(evaluation: Evaluation) -> dict[str, float | None]:
    """Every figure that can be an objective."""
    return {name: figure(evaluation) for name, (figure, _) in FIGURES.items()}


def _sign(objective: Objective) -> float:
    return 1.0 if objective.minimise else -1.0


def _open(place: Path, question: Question, resume: bool) -> optuna.Study:
    if resume and not place.exists():
        raise ReplayError(f"--resume: there is no study in {place}")
    if not resume and place.exists():
        raise ReplayError(f"{place} exists: give --resume to go on with it, or another --study")
    try:
        study = optuna.create_study(
            storage=_storage(place),
            study_name=_NAME,
            direction="minimize" if question.objective.minimise else "maximize",
            load_if_exists=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise ReplayError(f"{place}: is no study that can be gone on with: {error}") from None
    asked = study.user_attrs.get("question")
    if asked is None:
        study.set_user_attr("question", question.text)
    elif asked != question.text:
        raise ReplayError(f"{place} is a study of other settings, space, objective or windows: give another --study")
    return study


def _storage(place: Path) -> JournalStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return JournalStorage(JournalFileBackend(str(place)))


def _in_memory(study: optuna.Study) -> optuna.Study:
    # The file goes with its folder.
    copy = optuna.create_study(direction=study.direction)
    copy.add_trials(study.trials)
    return copy


def _begin_with_present(study: optuna.Study, question: Question) -> None:
    # The present settings are the first trial where the space holds them, so that the outcome is no worse.
    present = {}
    for one in question.space:
        value = _present(question.settings, one.key)
        inside = (
            value in one.choices if one.choices else isinstance(value, int | float) and one.low <= value <= one.high
        )
        if value is None or not inside:
            return
        present[one.key] = value
    study.enqueue_trial(present)


def _present(settings: Settings, key: str) -> Value | None:
    table: object = settings
    for name in key.split("."):
        if isinstance(table, tuple):
            table = next((one for one in table if one.name == name), None)
        elif isinstance(table, dict):
            table = table.get(name)
        else:
            table = getattr(table, name, None)
    return table if isinstance(table, bool | int | float | str) else None


def _work(place: Path, kept: Path, trials: int, seed: int) -> None:
    """In a process of its own: so many trials of the study in a file."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    material, question = pickle.loads(kept.read_bytes())
    _optimise(optuna.load_study(study_name=_NAME, storage=_storage(place)), material, question, trials, seed)


def _optimise(study: optuna.Study, material: Material, question: Question, trials: int, seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5) if material.dear else optuna.pruners.NopPruner()
        study.optimize(_trial_of(material, question), n_trials=trials)


def _trial_of(material: Material, question: Question) -> Callable[[optuna.Trial], float]:
    objective, last = question.objective, len(question.grounds) - 1

    def run(trial: optuna.Trial) -> float:
        values = {one.key: one.suggest(trial) for one in question.space}
        try:
            settings = applied(question.settings, values)
        except (SettingsError, DetectorError) as error:
            trial.set_user_attr("impossible", str(error))
            raise optuna.TrialPruned from None
        evaluations: list[Evaluation] = []
        value = objective.worst
        for step, one in enumerate(material.evaluations(settings, question.grounds)):
            evaluations.append(one)
            found = objective.value(evaluations)
            value = objective.worst if found is None else found
            # A trial that breaks a bound already cannot be the best, and must not make others look bad.
            broken = any(bound.excess(evaluations) > 0 for bound in objective.bounds)
            trial.report(objective.worst if broken else value, step)
            if step < last and trial.should_prune():
                _judge(trial, objective, evaluations)
                raise optuna.TrialPruned
        _judge(trial, objective, evaluations)
        return value

    return run


def _judge(trial: optuna.Trial, objective: Objective, evaluations: Sequence[Evaluation]) -> None:
    for bound in objective.bounds:
        trial.set_constraint(bound.name, bound.excess(evaluations))
    trial.set_user_attr("windows", [figures(one) for one in evaluations])
