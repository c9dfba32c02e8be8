"""Scoring: the hosted model first when there is one, the local model as the safety net."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from flask import current_app

from .counters import add_to_counter
from .features import to_rows
from .hosted import HostedModel, HostedModelError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    value: float
    label: str
    model: str
    source: str


class LocalModel:
    """The isolation forest that scripts/train.py wrote, with what it was trained for."""

    def __init__(self, folder: Path) -> None:
        self.card = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
        self._forest = joblib.load(folder / "detector.joblib")

    @property
    def name(self) -> str:
        return self.card["name"]

    @property
    def medians(self) -> dict[str, float]:
        return self.card["medians"]

    def score(self, rows: Sequence[Sequence[float]]) -> list[float]:
        return [-float(value) for value in self._forest.score_samples(rows)]

    def label(self, score: float) -> str:
        if score >= self.card["thresholds"]["anomalous"]:
            return "anomalous"
        if score >= self.card["thresholds"]["suspicious"]:
            return "suspicious"
        return "normal"


class Scorer:
    def __init__(self, local: LocalModel, hosted: HostedModel | None) -> None:
        self.local = local
        self.hosted = hosted

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Scorer:
        hosted = None
        if config["REPLICATE_API_TOKEN"]:
            hosted = HostedModel(
                config["REPLICATE_BASE_URL"],
                config["REPLICATE_API_TOKEN"],
                config["REPLICATE_MODEL_VERSION"],
                config["REPLICATE_TIMEOUT_S"],
            )
        return cls(LocalModel(Path(config["MODEL_DIR"])), hosted)

    @property
    def primary(self) -> str:
        return self.hosted.name if self.hosted else self.local.name

    def score(self, many: Sequence[Mapping[str, float]]) -> list[Score]:
        """Score feature sets with one call of one model."""
        rows = to_rows(many)
        name, source, values = self.local.name, "local", None
        if self.hosted is not None:
            try:
                values = self.hosted.score(rows)
                name, source = self.hosted.name, "hosted"
                add_to_counter("hosted_ok")
            except HostedModelError as error:
                log.warning("hosted model failed, using the local one: %s", error)
                source = "fallback"
                add_to_counter("hosted_failed")
        if values is None:
            values = self.local.score(rows)
        return [
            Score(round(value, 6), self.local.label(value), name, source) for value in values
        ]


def get_scorer() -> Scorer:
    return current_app.extensions["scorer"]
