"""Exported models and the proof that each gives what the original gives."""

from __future__ import annotations

import msgspec


class ModelProof(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared for one estimator of a model file.

    `rows` were given to the whole estimator (over all `methods`; `captured` of them came from the
    app), `tree_rows` to single trees: at every leaf and on both sides of every threshold, as far as
    `leaves_reached` of `leaves`. `refusals` wrong inputs were refused by both. `ties` are labels
    that differ where the original's two best scores are equal within the bound. `max_difference` is
    absolute, relative where the original's number is above 1. `differences` must be empty.
    """

    rows: int
    captured: int
    methods: tuple[str, ...]
    tree_rows: int
    leaves: int
    leaves_reached: int
    refusals: int
    ties: int
    max_difference: float
    differences: tuple[str, ...] = ()


class ExportedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model file of the origin; `path` is relative to the project, and to the export's folder.

    `kind` names the estimator's class, or `dict of ...` for a container. `refusal` says why there
    is no export, and is empty when there is one of `size` bytes. `notes` are warnings of loading.
    """

    path: str
    kind: str
    size: int = 0
    sha256: str = ""
    refusal: str = ""
    notes: tuple[str, ...] = ()
    proofs: tuple[ModelProof, ...] = ()

    @property
    def proven(self) -> bool:
        """Return whether the export exists and no difference was found."""
        return not self.refusal and not any(proof.differences for proof in self.proofs)
