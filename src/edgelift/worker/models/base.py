"""What all exported estimators share: attributes, input, labels, and the refusal to learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from edgelift.worker.models.array import Array, argmax
from edgelift.worker.models.checks import Rules, read_rows

Rows = list[list[float]]


class Estimator:
    """An exported estimator: its fitted attributes under their own names, no way to train it.

    `params` are the constructor's parameters, `fitted` the public attributes (`classes_`, ...).
    """

    rules: ClassVar[Rules] = Rules()

    def __init__(self, params: dict[str, Any], fitted: dict[str, Any]) -> None:
        self._params = params
        self.__dict__.update(params)
        self.__dict__.update(fitted)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters, as far as they are plain values."""
        return dict(self._params)

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: an exported model only predicts."""
        raise RuntimeError(
            f"{type(self).__name__} was exported for prediction and cannot be trained here"
        )

    partial_fit = fit_transform = fit_predict = set_params = fit

    def _read(self, X: Any, rules: Rules | None = None) -> Rows:
        features = self.__dict__.get("n_features_in_")
        return read_rows(X, rules or self.rules, type(self).__name__, features)


class Classifier(Estimator):
    """A classifier: `classes_` holds the labels in the order of the scores' columns."""

    classes_: Array

    def _label(self, indices: Sequence[int]) -> Array:
        labels = self.classes_.tolist()
        return Array([labels[i] for i in indices])

    def _label_largest(self, scores: Rows) -> Array:
        return self._label([argmax(row) for row in scores])

    def _to_array(self, scores: Rows) -> Array:
        return Array.from_rows(scores, len(self.classes_))


class ProbabilityMixin:
    """Adds `predict_log_proba` to a class that has `predict_proba`."""

    predict_proba: Callable[[Any], Array]

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the probabilities; -inf for zero."""
        found = self.predict_proba(X)
        return found.astype(lambda p: math.log(p) if p > 0 else -math.inf)


def expit(x: float) -> float:
    """Return 1 / (1 + exp(-x)); 0 where the power overflows, as scipy's expit does."""
    try:
        return 1.0 / (1.0 + math.exp(-x))
    except OverflowError:
        return 0.0


def softmax(scores: Sequence[float]) -> list[float]:
    """Return the softmax of one row, shifted by its maximum against overflow."""
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = math.fsum(powers)
    return [power / total for power in powers]
