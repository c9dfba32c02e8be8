"""Modules that stand in for joblib and scikit-learn in the Worker, where neither can run."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Self

from edgelift.worker.models import base, boosting, linear, preprocessing, tree

SKLEARN_MODULES = {
    "sklearn.ensemble": (tree, boosting),
    "sklearn.tree": (tree,),
    "sklearn.linear_model": (linear,),
    "sklearn.svm": (linear,),
    "sklearn.preprocessing": (preprocessing,),
    "sklearn.impute": (preprocessing,),
    "sklearn.pipeline": (preprocessing,),
}
NOT_EXPORTED = (
    "{path} holds a model of scikit-learn itself ({reason}); in the Worker only exported models "
    "can be loaded"
)


def load(filename: str | Path | BinaryIO, mmap_mode: str | None = None, **_ignored: Any) -> Any:
    """Load a model file, as joblib.load does; raises RuntimeError for one that was not exported."""
    if hasattr(filename, "read"):
        return _unpickle(filename, getattr(filename, "name", "the file"))
    with Path(filename).open("rb") as handle:
        return _unpickle(handle, filename)


def _unpickle(handle: Any, path: object) -> Any:
    try:
        return pickle.load(handle)
    except (pickle.UnpicklingError, ImportError, AttributeError, EOFError) as error:
        raise RuntimeError(NOT_EXPORTED.format(path=path, reason=error)) from error


def dump(value: Any, filename: Any, **_ignored: Any) -> list[str]:
    """Refuse: the files of a Worker cannot be written for good."""
    raise RuntimeError("joblib.dump cannot keep a file in the Worker: its disk is gone with it")


class Parallel:
    """joblib.Parallel that runs its tasks one after the other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.n_jobs = 1

    def __call__(self, tasks: Iterable[Callable[[], Any]]) -> list[Any]:
        """Run the tasks and return their results."""
        return [task() for task in tasks]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        """End the context."""


def delayed(function: Callable[..., Any]) -> Callable[..., Callable[[], Any]]:
    """Return a function that remembers a call for Parallel."""

    def remember(*args: Any, **kwargs: Any) -> Callable[[], Any]:
        return lambda: function(*args, **kwargs)

    return remember


def _make_module(name: str, contents: dict[str, Any], *, package: bool = False) -> ModuleType:
    module = ModuleType(name, f"Stands in for {name} in the Worker: exported models only.")
    module.__dict__.update(contents)
    if package:
        module.__path__ = []

    def missing(attribute: str) -> Any:
        raise AttributeError(f"{name}.{attribute} is not available in the Worker")

    module.__dict__["__getattr__"] = missing
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
    return module


def _list_classes(*modules: ModuleType) -> dict[str, type]:
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base.Estimator)
        and (value.__doc__ or "").startswith("sklearn.")
    }


def install() -> None:
    """Put the stand-ins for joblib and sklearn into sys.modules, in place of any others."""
    _make_module(
        "joblib",
        {
            "load": load,
            "dump": dump,
            "Parallel": Parallel,
            "delayed": delayed,
            "cpu_count": lambda: 1,
            "__version__": "1.5.0",
        },
        package=True,
    )
    _make_module("sklearn", {"__version__": "0"}, package=True)
    _make_module(
        "sklearn.base",
        {
            "BaseEstimator": base.Estimator,
            "ClassifierMixin": base.Classifier,
            "TransformerMixin": preprocessing.Transformer,
        },
    )
    _make_module(
        "sklearn.exceptions", {"NotFittedError": type("NotFittedError", (ValueError,), {})}
    )
    for name, sources in SKLEARN_MODULES.items():
        _make_module(name, _list_classes(*sources))
