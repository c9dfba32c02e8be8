"""Export the model files of an origin, or tell what they hold; run with the origin's own Python.

Usage: export_estimators.py ORDER RESULTS
ORDER is a JSON file {"edgelift": folder of the package, "root": project, "files": [...], "out":
folder or null to look only, "captured": JSON-lines file or null}; RESULTS gets a JSON line for each
file. edgelift itself is not imported: only the scripts beside this one and the Worker's models.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import pickle
import sys
import tempfile
import types
import warnings
import zlib
from pathlib import Path
from typing import Any

# What unpickling raises: of files that are none, and of classes that are not there or have changed.
LOAD_ERRORS = (
    ArithmeticError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError,
    pickle.PickleError, RuntimeError, TypeError, ValueError, zlib.error, lzma.LZMAError,
)  # fmt: skip


def open_package(folder: str) -> None:
    """Make the scripts and the Worker's models importable without running edgelift's own code."""
    for name in ("edgelift", "edgelift.worker", "edgelift.sources"):
        module = types.ModuleType(name)
        module.__path__ = [os.path.join(folder, *name.split(".")[1:])]  # noqa: PTH118 - before imports
        sys.modules[name] = module


def load_file(path: Path) -> Any:
    """Load a model file with joblib, which reads plain pickles too, or with pickle without it."""
    try:
        from joblib import load
    except ImportError:
        with path.open("rb") as handle:
            return pickle.load(handle)  # noqa: S301 - the origin's own file
    return load(path)


def read_captured(path: str | None, file: str) -> dict[str, list[list[float]]]:
    """Return the rows that the app gave to a file's estimators, by method."""
    found: dict[str, list[list[float]]] = {}
    if path is None or not Path(path).exists():
        return found
    with Path(path).open(encoding="utf-8") as handle:
        for line in handle:
            record = json.loads(line)
            if record["file"] in {"", file}:
                found.setdefault(record["method"], []).extend(record["rows"])
    return found


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    Path(handle.name).chmod(0o644)
    Path(handle.name).replace(path)


def describe_value(value: Any, depth: int = 0) -> str:
    """Return the class of an estimator, or of those in a container; empty when there is none."""
    from edgelift.sources.origin_scripts.estimator_conversion import is_estimator, read_kind

    if is_estimator(value):
        return read_kind(value)
    if isinstance(value, dict | list | tuple) and depth < 5:
        items = value.values() if isinstance(value, dict) else value
        kinds = sorted({k for item in items if (k := describe_value(item, depth + 1))})
        return f"{type(value).__name__} of {', '.join(kinds)}" if kinds else ""
    return ""


def export_value(value: Any, file: str, order: dict[str, Any]) -> dict[str, Any]:
    """Convert, prove and write one loaded value; returns the result's fields."""
    from edgelift.sources.origin_scripts.estimator_conversion import Refused, convert
    from edgelift.sources.origin_scripts.estimator_proof import prove_value

    try:
        exported = convert(value)
    except Refused as reason:
        return {"refusal": str(reason)}
    data = pickle.dumps(exported, protocol=5)
    read_back = pickle.loads(data)  # noqa: S301 - written a line above
    proofs = prove_value(value, read_back, read_captured(order["captured"], file))
    write_atomically(Path(order["out"], file), data)
    return {"proofs": proofs, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def handle_file(file: str, order: dict[str, Any]) -> dict[str, Any]:
    """Load one file and look at it or export it."""
    result: dict[str, Any] = {"path": file, "kind": ""}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = load_file(Path(order["root"], file))
        except LOAD_ERRORS as error:
            return result | {"refusal": f"cannot be loaded: {type(error).__name__}: {error}"}
    kinds = {"InconsistentVersionWarning"}
    result["notes"] = sorted({str(w.message) for w in caught if w.category.__name__ in kinds})
    result["kind"] = describe_value(value)
    if order["out"] is not None:
        result |= export_value(value, file, order)
    return result


def main(order_path: str, results_path: str) -> None:
    """Handle every file of the order; one that fails does not stop the others."""
    order = json.loads(Path(order_path).read_text(encoding="utf-8"))
    sys.path.insert(0, order["root"])
    open_package(order["edgelift"])
    with Path(results_path).open("w", encoding="utf-8") as results:
        for file in order["files"]:
            results.write(json.dumps(handle_file(file, order)) + "\n")
            results.flush()


if __name__ == "__main__":
    del sys.path[0]  # this folder must not shadow the origin's modules
    main(*sys.argv[1:])
