"""From settings to detectors: looks models and features up by name, and says all that is wrong with them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from river.base import AnomalyDetector, Estimator, SupervisedAnomalyDetector

from pipeline.detectors.base import Detector
from pipeline.detectors.extraction import ExtractionDetector
from pipeline.detectors.gaussian import GaussianDetector
from pipeline.detectors.half_space_trees import HalfSpaceTreesDetector
from pipeline.detectors.novelty import NoveltyDetector
from pipeline.detectors.peer import PeerDetector
from pipeline.detectors.river_models import RiverDetector
from pipeline.features.layout import EVENT_FEATURES, HOUR_S
from pipeline.features.window import WINDOW_FEATURES
from pipeline.settings import DetectorSettings

#: The models of Stillwatch itself, by the name that settings use.
OWN_MODELS: dict[str, Callable[..., Detector]] = {
    "stillwatch.PeerLocationScale": PeerDetector,
    "stillwatch.Novelty": NoveltyDetector,
}
#: Its features are the behaviour of an hour, whatever the settings.
EXTRACTION = "stillwatch.Extraction"
#: Has a compiled form for every parameter that the detectors by default use.
GAUSSIAN = "river.anomaly.GaussianScorer"
#: Parameters of half-space trees that the compiled form needs to be positive whole numbers.
_COUNTS_OF_TREES = ("n_trees", "height", "window_size")
#: Limits of a feature for models that want them: logarithms of counts stay below ln(10^11).
_LOG_LIMITS, _SHARE_LIMITS = (0.0, 25.0), (0.0, 1.0)


class DetectorError(Exception):
    """Detectors of the settings cannot be built; `mistakes` has one line for each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def build_detectors(settings: Iterable[DetectorSettings]) -> list[Detector]:
    """A new detector for each of `settings`. Raises `DetectorError` with every mistake."""
    built: list[Detector] = []
    mistakes: list[str] = []
    for index, one in enumerate(settings):
        try:
            built.append(_build(one))
        except (ValueError, TypeError) as error:
            mistakes.append(f"engine.detectors[{index}] ({one.name}): {error}")
    if mistakes:
        raise DetectorError(mistakes)
    return built


def _build(settings: DetectorSettings) -> Detector:
    if settings.model == EXTRACTION:
        return _extraction(settings)
    known: Iterable[str] = EVENT_FEATURES if settings.on == "event" else WINDOW_FEATURES
    unknown = [feature for feature in settings.features if feature not in known]
    if unknown:
        raise ValueError(f"no such feature of a {settings.on}: {', '.join(unknown)}; there are {', '.join(known)}")
    parameters: dict[str, Any] = dict(settings.parameters)
    own = OWN_MODELS.get(settings.model)
    if own is not None:
        if settings.scaler or settings.scope != "account":
            raise ValueError(f"{settings.model} takes no scaler and has the scope account")
        return own(settings.name, len(settings.features), settings.fill_zeros, **parameters)
    if settings.model == GAUSSIAN and not settings.scaler and set(parameters) <= {"grace_period"} and settings.features:
        # As below, without River, which takes a second to load and which the detectors by default need for nothing else.
        return GaussianDetector(
            settings.name, len(settings.features), settings.fill_zeros, settings.scope == "partition", **parameters
        )
    model = _look_up(settings.model, "anomaly detector", (AnomalyDetector, SupervisedAnomalyDetector))
    supervised = issubclass(model, SupervisedAnomalyDetector)
    accepted = inspect.signature(model).parameters
    if "seed" in accepted:
        parameters.setdefault("seed", 1)
    if "limits" in accepted and not settings.scaler:
        limits = {name: _LOG_LIMITS if name.startswith("log_") else _SHARE_LIMITS for name in settings.features}
        parameters.setdefault("limits", limits)
    scaler = _look_up(settings.scaler, "scaler", (Estimator,)) if settings.scaler else None
    if scaler is not None and supervised:
        raise ValueError(f"{settings.model} is supervised and takes no scaler")

    def create_model() -> Any:
        return model(**parameters) if scaler is None else scaler() | model(**parameters)

    create_model()
    compiled = None if scaler else _compiled(settings, model, parameters)
    if compiled is not None:
        return compiled
    return RiverDetector(
        settings.name,
        settings.features,
        settings.fill_zeros,
        create_model,
        supervised=supervised,
        shared=settings.scope == "partition",
    )


def _extraction(settings: DetectorSettings) -> Detector:
    if settings.on != "window" or settings.window_s != HOUR_S or settings.features or settings.scaler:
        raise ValueError(
            f'{EXTRACTION} looks at the behaviour of hours: on = "window", window_s = {HOUR_S}, no features'
        )
    weights = {name: value for name, value in settings.parameters.items() if not isinstance(value, (str, bool))}
    if len(weights) < len(settings.parameters):
        raise ValueError(f"the parameters of {EXTRACTION} are weights, which are numbers")
    return ExtractionDetector(settings.name, **weights)


def _compiled(settings: DetectorSettings, model: type, parameters: dict[str, Any]) -> Detector | None:
    # The same numbers from arrays, for the models and parameters that have such a form.
    from river.anomaly import GaussianScorer, HalfSpaceTrees

    shared = settings.scope == "partition"
    width = len(settings.features)
    given = dict(parameters)
    if model is GaussianScorer and width and not given.pop("window_size", None):
        return GaussianDetector(settings.name, width, settings.fill_zeros, shared, **given)
    if model is HalfSpaceTrees and width and all(_is_count(given.get(name, 1)) for name in _COUNTS_OF_TREES):
        return HalfSpaceTreesDetector(settings.name, settings.features, settings.fill_zeros, shared, **given)
    return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _look_up(path: str, what: str, kinds: tuple[type, ...]) -> Any:
    module, _, name = path.rpartition(".")
    if module != "river" and not module.startswith("river."):
        raise ValueError(f"{path} is no model: name one of {', '.join(OWN_MODELS)} or a {what} of River (river.…)")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise ValueError(f"River has no {path}") from None
    if not (isinstance(found, type) and issubclass(found, kinds)):
        raise ValueError(f"{path} is no {what} of River")
    return found
