"""Exported estimators against the originals, on the rows that the origin really scored.

The second origin of a replay runs with capture on; what the app gave to its models there is scored
again by the original and by the export, under the origin's Python.
"""

from __future__ import annotations

from pathlib import Path

from edgelift.model.estimators import ExportedModel
from edgelift.model.findings import Check, Status
from edgelift.sources.estimators import export_estimators
from edgelift.sources.origin_server import read_last_lines
from edgelift.stages.verify.checks import MODELS, build_check, skip
from edgelift.stages.verify.sides import Bench


def compare_models(bench: Bench, captured: Path) -> Check:
    """Return the check of the project's models on the rows in `captured` (JSON lines)."""
    if not read_last_lines(captured):
        return skip(bench.run, MODELS, "no replayed request made the origin ask its models")
    files = [model.path for model in bench.inventory.models if model.path in bench.plan.models]
    if not files:
        return skip(bench.run, MODELS, "the plan exports none of the project's models")
    with bench.scratch("models") as folder:
        models = export_estimators(
            bench.run.project.root, files, bench.python, folder, bench.note, captured=captured
        )
    return check_models(bench, models)


def check_models(bench: Bench, models: list[ExportedModel]) -> Check:
    """Judge exports: every captured row must score the same; a model that saw none is told."""
    proofs = [proof for model in models for proof in model.proofs]
    captured = sum(proof.captured for proof in proofs)
    differences = [f"{m.path}: {line}" for m in models for p in m.proofs for line in p.differences]
    refused = [f"{model.path}: {model.refusal}" for model in models if model.refusal]
    widest = max((proof.max_difference for proof in proofs), default=0.0)
    idle = [m.path for m in models if m.proofs and not any(p.captured for p in m.proofs)]
    evidence = (
        f"{captured} rows that the app scored during the replay, and "
        f"{sum(proof.rows for proof in proofs) - captured} made ones, scored by original and "
        f"export of {len(models)} models; largest difference {widest:.1e}"
    )
    status = Status.FAIL if differences or refused else Status.PASS
    if not captured and status is Status.PASS:
        status = Status.NOT_RUN
    return build_check(
        bench.run,
        MODELS,
        status,
        evidence,
        detail=[*differences, *refused, *(f"{path}: the app gave it no row" for path in idle)],
        counts={
            "models": len(models),
            "rows_captured": captured,
            "rows": sum(proof.rows for proof in proofs),
            "differences": len(differences),
        },
        figures={"largest_difference": widest},
    )
