"""Exported estimators against the originals, on the rows that the origin really scored."""

from __future__ import annotations

from edgelift.model.findings import Check
from edgelift.stages.verify.checks import MODELS, skip
from edgelift.stages.verify.sides import Bench


def compare_models(bench: Bench) -> Check:
    """Return the check of the project's models."""
    kinds = ", ".join(sorted({model.kind for model in bench.inventory.models}))
    return skip(bench.run, MODELS, f"this edgelift has no exporter for {kinds}")
