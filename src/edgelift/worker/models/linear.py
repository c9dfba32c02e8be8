"""Linear models: weights times features plus intercept, and what each class makes of the score."""

from __future__ import annotations

import math
from typing import Any

from edgelift.worker.models.array import Array
from edgelift.worker.models.base import (
    Classifier,
    Estimator,
    ProbabilityMixin,
    Rows,
    expit,
    softmax,
)
from edgelift.worker.models.checks import Rules


class LinearEstimator(Estimator):
    """`weights` holds a row a score, `intercepts` a number a score.

    `flat` says whether a single score a row is returned without a dimension of its own.
    """

    rules = Rules(numeric=True, none=False)

    def __init__(
        self,
        params: dict[str, Any],
        fitted: dict[str, Any],
        weights: list[list[float]],
        intercepts: list[float],
        *,
        flat: bool = True,
    ) -> None:
        super().__init__(params, fitted)
        self._weights = weights
        self._intercepts = intercepts
        self._flat = flat

    def _scores(self, X: Any) -> Rows:
        pairs = list(zip(self._weights, self._intercepts, strict=True))
        # Sums are exact, so they lie as near as a float can to what any order of adding gives.
        return [
            [
                math.fsum(w * x for w, x in zip(weights, row, strict=True)) + c
                for weights, c in pairs
            ]
            for row in self._read(X)
        ]

    def _shape(self, scores: Rows) -> Array:
        if len(self._weights) == 1 and self._flat:
            return Array([row[0] for row in scores])
        return Array.from_rows(scores, len(self._weights))


class LinearRegressor(LinearEstimator):
    """Any linear regressor."""

    def predict(self, X: Any) -> Array:
        """Return one number a row, or a row of them for several targets."""
        return self._shape(self._scores(X))


class LinearClassifier(LinearEstimator, Classifier):
    """Any linear classifier: one score for two classes, else one a class."""

    def decision_function(self, X: Any) -> Array:
        """Return the scores: a number a row for two classes, else a row of them."""
        return self._shape(self._scores(X))

    def predict(self, X: Any) -> Array:
        """Return the labels."""
        scores = self._scores(X)
        if len(self._weights) == 1:
            return self._label([int(row[0] > 0) for row in scores])
        return self._label_largest(scores)


class ProbabilityClassifier(LinearClassifier, ProbabilityMixin):
    """A linear classifier with probabilities.

    `link` says how: `ovr` (logistic, normalised), `softmax`, `softmax-binary` (softmax of -score
    and score) or `huber` (clipped score).
    """

    def __init__(self, *args: Any, link: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._link = link

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, a row an input row."""
        scores = self._scores(X)
        if self._link == "softmax":
            return self._to_array([softmax(row) for row in scores])
        if self._link == "softmax-binary":
            return self._to_array([softmax([-row[0], row[0]]) for row in scores])
        squash = expit if self._link == "ovr" else _clip_score
        shares = [[squash(score) for score in row] for row in scores]
        if len(self._weights) == 1:
            return self._to_array([[1 - row[0], row[0]] for row in shares])
        return self._to_array([_normalise(row) for row in shares])


def _clip_score(score: float) -> float:
    return (min(max(score, -1.0), 1.0) + 1.0) / 2.0


def _normalise(shares: list[float]) -> list[float]:
    total = math.fsum(shares)
    if total == 0:
        return [1.0 / len(shares)] * len(shares)
    return [share / total for share in shares]


class LinearRegression(LinearRegressor):
    """sklearn.linear_model.LinearRegression."""


class Ridge(LinearRegressor):
    """sklearn.linear_model.Ridge."""


class Lasso(LinearRegressor):
    """sklearn.linear_model.Lasso."""


class ElasticNet(LinearRegressor):
    """sklearn.linear_model.ElasticNet."""


class BayesianRidge(LinearRegressor):
    """sklearn.linear_model.BayesianRidge, the mean only."""


class HuberRegressor(LinearRegressor):
    """sklearn.linear_model.HuberRegressor."""


class SGDRegressor(LinearRegressor):
    """sklearn.linear_model.SGDRegressor."""


class LinearSVR(LinearRegressor):
    """sklearn.svm.LinearSVR."""


class LinearSVC(LinearClassifier):
    """sklearn.svm.LinearSVC."""


class Perceptron(LinearClassifier):
    """sklearn.linear_model.Perceptron."""


class RidgeClassifier(LinearClassifier):
    """sklearn.linear_model.RidgeClassifier."""


class SGDClassifier(ProbabilityClassifier):
    """sklearn.linear_model.SGDClassifier; probabilities for the losses that have them."""

    loss: str

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, a row an input row."""
        if self._link == "none":
            raise AttributeError(f"probability estimates are not available for loss={self.loss!r}")
        return super().predict_proba(X)


class LogisticRegression(ProbabilityClassifier):
    """sklearn.linear_model.LogisticRegression."""


class RidgeCV(LinearRegressor):
    """sklearn.linear_model.RidgeCV."""


class LassoCV(LinearRegressor):
    """sklearn.linear_model.LassoCV."""


class ElasticNetCV(LinearRegressor):
    """sklearn.linear_model.ElasticNetCV."""


class RidgeClassifierCV(LinearClassifier):
    """sklearn.linear_model.RidgeClassifierCV."""


class LogisticRegressionCV(ProbabilityClassifier):
    """sklearn.linear_model.LogisticRegressionCV."""
