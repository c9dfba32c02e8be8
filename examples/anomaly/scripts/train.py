"""Train the isolation forest on data/training.csv and write model/detector.{joblib,json}."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import joblib
import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from anomaly.features import FEATURES, compute_features, to_rows  # noqa: E402

NAME = "isolation-forest-2025.09"


def read_training_rows() -> list[list[float]]:
    with (ROOT / "data" / "training.csv").open(newline="", encoding="utf-8") as handle:
        tokens = [
            SimpleNamespace(**{name: float(value) for name, value in row.items()})
            for row in csv.DictReader(handle)
        ]
    no_medians = dict.fromkeys(FEATURES, 0.0)
    return to_rows([compute_features(token, no_medians) for token in tokens])


def main() -> None:
    rows = read_training_rows()
    forest = IsolationForest(n_estimators=100, max_samples=256, contamination=0.03, random_state=7)
    forest.fit(np.array(rows))
    scores = sorted(-float(s) for s in forest.score_samples(rows))
    card = {
        "name": NAME,
        "features": list(FEATURES),
        "medians": {
            name: round(median(row[i] for row in rows), 6) for i, name in enumerate(FEATURES)
        },
        "thresholds": {
            "suspicious": round(scores[int(len(scores) * 0.92)], 6),
            "anomalous": round(scores[int(len(scores) * 0.97)], 6),
        },
        "training_rows": len(rows),
        "scikit_learn": sklearn.__version__,
    }
    folder = ROOT / "model"
    folder.mkdir(exist_ok=True)
    joblib.dump(forest, folder / "detector.joblib", compress=9)
    (folder / "detector.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(card))


if __name__ == "__main__":
    main()
