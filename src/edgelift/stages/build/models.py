"""Exports the origin's model files for the Worker, once for each content, and judges the proofs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgelift.model.estimators import ExportedModel
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.project import hash_files, hash_inputs
from edgelift.run import Run
from edgelift.sources import estimators
from edgelift.stages.build.modules import hash_adapter, hash_folder

FOLDER = ("build", "models")


class Kept(msgspec.Struct, frozen=True):
    """The results of an export and what they were made from."""

    key: str
    models: tuple[ExportedModel, ...]


def export_models(run: Run, files: tuple[str, ...], python: Path) -> tuple[ExportedModel, ...]:
    """Return the exports of model files, which lie under their own paths below build/models.

    Nothing is exported again while files and exporter are the same. Raises OriginError when the
    origin's Python cannot run the export.
    """
    root, out = run.project.root, run.project.state.joinpath(*FOLDER)
    record = out.with_suffix(".json")
    code = [hash_adapter(), hash_folder(estimators.SCRIPTS)]
    key = hash_inputs(hash_files(root, [root / name for name in files]), files, code)
    kept = _read_kept(record)
    if kept is not None and kept.key == key and _is_whole(kept, out):
        return kept.models
    models = tuple(estimators.export_estimators(root, files, python, out, run.note))
    temporary = record.with_suffix(".part")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_bytes(msgspec.json.encode(Kept(key, models)))
    temporary.replace(record)
    return models


def _read_kept(record: Path) -> Kept | None:
    try:
        return msgspec.json.decode(record.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):
        return None


def _is_whole(kept: Kept, out: Path) -> bool:
    exported = [model for model in kept.models if not model.refusal]
    return all((out / model.path).is_file() for model in exported) and all(
        (out / model.path).stat().st_size == model.size for model in exported
    )


def find_refusals(models: tuple[ExportedModel, ...]) -> list[Finding]:
    """Return a finding for every model file that has no export."""
    return [
        Finding(
            rule="MODEL-REFUSED",
            level=Level.ERROR,
            message=f"the model {model.path} cannot run in the Worker: {model.refusal}",
            path=model.path,
            tip="retrain it as a tree ensemble or linear model of scikit-learn, or remove the file "
            "when the app does not load it",
        )
        for model in models
        if model.refusal
    ]


def check_models(run: Run, models: tuple[ExportedModel, ...]) -> Check:
    """Report whether every exported model gives what the original gives."""
    proofs = [proof for model in models for proof in model.proofs]
    rows = sum(proof.rows + proof.tree_rows for proof in proofs)
    apart = max((proof.max_difference for proof in proofs), default=0.0)
    proven = sum(model.proven for model in models)
    differences = [
        f"{model.path}: {text}"
        for model in models
        for text in (
            (model.refusal,)
            if model.refusal
            else [difference for proof in model.proofs for difference in proof.differences]
        )
    ]
    refused = any(model.refusal for model in models)
    unequal = any(proof.differences for proof in proofs)
    status = Status.FAIL if unequal else Status.NOT_RUN if refused else Status.PASS
    evidence = (
        f"{proven} of {len(models)} model files exported and equal on {rows} rows, "
        f"largest difference {apart:.1e}"
    )
    return Check(
        id="build.models",
        stage="build",
        title="Exported models give the originals' results",
        status=status if models else Status.SKIPPED,
        evidence=evidence if models else "the project holds no serialized model",
        reproduce=run.command("build", "--force"),
        detail=tuple(differences),
        counts={"models_equal": proven, "models": len(models), "rows": rows},
        figures={"largest_difference": apart},
    )
