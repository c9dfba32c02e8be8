"""Write down every input that an app gives to an estimator it loaded: rows for the export's proof.

Imported in the origin's process by capture/sitecustomize.py when EDGELIFT_CAPTURE names a file.
Each call appends one JSON line {"file", "method", "rows"}; `file` is the model's path, relative to
the working directory. The app's results are not touched; inputs that are no table of numbers are
let pass.
"""

from __future__ import annotations

import functools
import json
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

METHODS = (
    "predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples",
    "transform",
)  # fmt: skip
MAX_ROWS = 20_000  # rows written by one process

_lock = threading.Lock()
_here = threading.local()
_written = 0


def _to_rows(values: Any) -> list[list[float]] | None:
    """Return an input as lists of floats, or None when it is no table of numbers."""
    import numpy as np

    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return table.tolist() if table.ndim == 2 else None


def _write(file: str, method: str, values: Any) -> None:
    global _written  # noqa: PLW0603 - one count a process
    rows = _to_rows(values)
    if not rows:
        return
    with _lock:
        rows = rows[: MAX_ROWS - _written]
        _written += len(rows)
        if rows:
            line = json.dumps({"file": file, "method": method, "rows": rows}) + "\n"
            with open(os.environ["EDGELIFT_CAPTURE"], "a", encoding="utf-8") as handle:  # noqa: PTH123
                handle.write(line)


def _wrap_method(method: Callable[..., Any], file: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        # Methods call each other: what counts is what the app itself gave.
        if getattr(_here, "busy", False):
            return method(*args, **kwargs)
        _here.busy = True
        try:
            _write(file, method.__name__, args[0] if args else kwargs.get("X"))
            return method(*args, **kwargs)
        finally:
            _here.busy = False

    return call


def wrap_value(value: Any, file: str, depth: int = 0) -> Any:
    """Wrap the methods of each estimator of scikit-learn in a loaded value; returns the value."""
    if type(value).__module__.split(".")[0] == "sklearn":
        for name in METHODS:
            method = getattr(value, name, None)
            if callable(method):
                value.__dict__[name] = _wrap_method(method, file)
    elif isinstance(value, dict) and depth < 5:
        for item in value.values():
            wrap_value(item, file, depth + 1)
    elif isinstance(value, list | tuple) and depth < 5:
        for item in value:
            wrap_value(item, file, depth + 1)
    return value


def _name_file(source: Any) -> str:
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    return os.path.relpath(path) if isinstance(path, str | os.PathLike) else ""


def _wrap_load(load: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(load)
    def loading(source: Any, *args: Any, **kwargs: Any) -> Any:
        return wrap_value(load(source, *args, **kwargs), _name_file(source))

    return loading


def install() -> None:
    """Wrap pickle.load and, where it is installed, joblib.load."""
    pickle.load = _wrap_load(pickle.load)
    try:
        import joblib
    except ImportError:
        return
    joblib.load = _wrap_load(joblib.load)


install()
