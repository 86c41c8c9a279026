"""A model of River as bytes. Only what River and numpy make can come out of them again, so reading them runs nothing else."""

from __future__ import annotations

import io
import pickle
from typing import Any

from pipeline.state import StateError

#: Names outside River that the models of `river.anomaly` are made of.
_ALLOWED = {
    "builtins": {
        "bool",
        "bytearray",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "set",
        "slice",
        "str",
        "tuple",
    },
    "collections": {"Counter", "OrderedDict", "defaultdict", "deque"},
    "functools": {"partial"},
    "numpy": {"dtype", "ndarray"},
    "random": {"Random"},
}
#: Rooms of River that read files or the network.
_NOT_MODELS = ("river.datasets", "river.stream", "river.checks", "river.evaluate")
_NUMPY_MODULES = ("numpy.core.", "numpy._core.", "numpy.random.")


def dump_model(model: Any) -> bytes:
    """The bytes of a model. Raises `StateError` when it holds what has none, a function for example."""
    try:
        return pickle.dumps(model, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise StateError(f"{type(model).__name__} cannot be saved: {error}") from error


def load_model(data: bytes) -> Any:
    """The model that `dump_model` made `data` of. Raises `StateError` when it is damaged, or names anything but such models."""
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except StateError:
        raise
    except Exception as error:
        # Damaged bytes raise anything.
        raise StateError(f"a model's state cannot be read: {error!r}") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = name in _ALLOWED.get(module, ())
        allowed |= module.startswith(_NUMPY_MODULES) and name in ("_reconstruct", "scalar", "_frombuffer")
        if module.startswith("river.") and not module.startswith(_NOT_MODELS) and "." not in name:
            allowed = _of_river(super().find_class(module, name))
        if not allowed:
            raise StateError(f"a model's state names {module}.{name}, which is none of River's models")
        return super().find_class(module, name)


def _of_river(found: Any) -> bool:
    # What a module of River merely imports is not River's.
    return str(getattr(found, "__module__", "")).startswith("river.")
