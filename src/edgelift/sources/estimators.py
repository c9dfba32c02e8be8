"""Export an origin's model files with its own Python; used by assess (what is there) and build.

The work is done by origin_scripts/export_estimators.py in a subprocess, since only the origin's
environment can load the files. What is written are pickles of edgelift.worker.models.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgelift.errors import OriginError
from edgelift.model.estimators import ExportedModel
from edgelift.model.inventory import ModelFile

PACKAGE = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "origin_scripts"
CAPTURE_FOLDER = SCRIPTS / "capture"
SUFFIXES = (".joblib", ".pkl", ".pickle")
DEFAULT_TIMEOUT_S = 900.0


def list_candidates(files: Sequence[str]) -> list[str]:
    """Return the files whose suffix is one of serialized estimators."""
    return [file for file in files if file.lower().endswith(SUFFIXES)]


def hooked_path() -> str:
    """Return the PYTHONPATH with which an origin process runs edgelift's sitecustomize."""
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([str(CAPTURE_FOLDER), *([inherited] if inherited else [])])


def capture_environment(target: Path) -> dict[str, str]:
    """Return the variables that make an origin process append its models' inputs to a file."""
    return {"EDGELIFT_CAPTURE": str(target.absolute()), "PYTHONPATH": hooked_path()}


def find_model_files(
    project_root: Path, files: Sequence[str], python: Path, note: Callable[[str], None]
) -> list[ModelFile]:
    """Load each candidate with the origin's Python and return those that hold an estimator.

    A file that cannot be loaded is returned with the reason as its kind. Raises OriginError when
    the Python itself fails.
    """
    candidates = list_candidates(files)
    if not candidates:
        return []
    note(f"looking into {len(candidates)} serialized file(s)")
    found = _run_script(project_root, candidates, python, out=None, captured=None)
    return [
        ModelFile(path=model.path, kind=model.kind or model.refusal)
        for model in found
        if model.kind or model.refusal
    ]


def export_estimators(
    project_root: Path,
    files: Sequence[str],
    python: Path,
    out: Path,
    note: Callable[[str], None],
    *,
    captured: Path | None = None,
) -> list[ExportedModel]:
    """Export model files into `out` under their own relative paths and prove each.

    `captured` is a JSON-lines file of inputs seen in the app (capture_environment). A class that
    has no pure-Python counterpart gives a refusal, not an error. Raises OriginError when the
    origin's Python cannot run the export at all.
    """
    if not files:
        return []
    note(f"exporting {len(files)} model file(s) with the origin's Python")
    models = _run_script(project_root, files, python, out=out, captured=captured)
    for model in models:
        note(_describe(model))
    return models


def _describe(model: ExportedModel) -> str:
    if model.refusal:
        return f"{model.path}: refused: {model.refusal}"
    rows = sum(proof.rows + proof.tree_rows for proof in model.proofs)
    apart = max((proof.max_difference for proof in model.proofs), default=0.0)
    verdict = "equal" if model.proven else "DIFFERENT"
    return f"{model.path}: {model.kind}, {verdict} on {rows} rows, largest difference {apart:.1e}"


def _run_script(
    project_root: Path,
    files: Sequence[str],
    python: Path,
    *,
    out: Path | None,
    captured: Path | None,
) -> list[ExportedModel]:
    with tempfile.TemporaryDirectory(prefix="edgelift-models-") as folder:
        order, results = Path(folder, "order.json"), Path(folder, "results.jsonl")
        content = {
            "edgelift": str(PACKAGE),
            "root": str(project_root.absolute()),
            "files": list(files),
            "out": None if out is None else str(out.absolute()),
            "captured": None if captured is None else str(captured.absolute()),
        }
        order.write_text(json.dumps(content), encoding="utf-8")
        command = [str(python), str(SCRIPTS / "export_estimators.py"), str(order), str(results)]
        _run(command, project_root)
        lines = results.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=ExportedModel) for line in lines]


def _run(command: Sequence[str], folder: Path) -> None:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    failed = "The model files cannot be exported with the origin's Python"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEFAULT_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        tip = "check [app] python in edgelift.toml"
        raise OriginError(failed, why=f"{command[0]}: {error.strerror}", tip=tip) from error
    except subprocess.TimeoutExpired as error:
        why = f"it had not finished after {DEFAULT_TIMEOUT_S:.0f} s"
        raise OriginError(
            failed, why=why, tip="leave out models that the app does not use"
        ) from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise OriginError(
            failed,
            why=f"exit code {done.returncode}: {last[0]}",
            tip=f"see whether this works: {command[0]} -c 'import numpy, sklearn'",
        )
