"""Boosted ensembles: gradient boosting, histogram gradient boosting, AdaBoost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgelift.worker.models.array import Array, argmax
from edgelift.worker.models.base import (
    Classifier,
    Estimator,
    ProbabilityMixin,
    Rows,
    expit,
    softmax,
)
from edgelift.worker.models.checks import Rules
from edgelift.worker.models.tree import Tree


class AdditiveEstimator(Estimator):
    """A start value for each column plus, stage by stage, the leaves of one tree a column.

    `link` names how raw predictions become results: `identity`, `exp`, `expit`, `expit-double`
    (exponential loss) or `softmax`.
    """

    rules = Rules(single=True)

    def __init__(
        self,
        params: dict[str, Any],
        fitted: dict[str, Any],
        start: list[float],
        stages: list[list[Tree]],
        link: str,
    ) -> None:
        super().__init__(params, fitted)
        self._start = start
        self._stages = stages
        self._link = link

    def _raw(self, X: Any) -> Rows:
        results = []
        for row in self._read(X):
            sums = list(self._start)
            for stage in self._stages:
                for k, tree in enumerate(stage):
                    sums[k] += tree.read_value(row)
            results.append(sums)
        return results


class AdditiveRegressor(AdditiveEstimator):
    """A boosted regressor."""

    def predict(self, X: Any) -> Array:
        """Return one number a row."""
        raw = [row[0] for row in self._raw(X)]
        return Array([math.exp(value) for value in raw] if self._link == "exp" else raw)


class AdditiveClassifier(AdditiveEstimator, ProbabilityMixin, Classifier):
    """A boosted classifier: one column of raw scores for two classes, else one a class."""

    # At a raw score of exactly 0 the two families take different classes.
    zero_is_positive = True

    def decision_function(self, X: Any) -> Array:
        """Return the raw scores: a number a row for two classes, else a row of them."""
        raw = self._raw(X)
        return Array([r[0] for r in raw]) if len(self._start) == 1 else self._to_array(raw)

    def predict(self, X: Any) -> Array:
        """Return the labels."""
        raw = self._raw(X)
        if len(self._start) > 1:
            return self._label_largest(raw)
        if self.zero_is_positive:
            return self._label([int(row[0] >= 0) for row in raw])
        return self._label([int(row[0] > 0) for row in raw])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, a row an input row."""
        raw = self._raw(X)
        if self._link == "softmax":
            return self._to_array([softmax(row) for row in raw])
        factor = 2.0 if self._link == "expit-double" else 1.0
        second = [expit(factor * row[0]) for row in raw]
        return self._to_array([[1 - p, p] for p in second])


class GradientBoostingClassifier(AdditiveClassifier):
    """sklearn.ensemble.GradientBoostingClassifier."""


class GradientBoostingRegressor(AdditiveRegressor):
    """sklearn.ensemble.GradientBoostingRegressor."""


class HistGradientBoostingClassifier(AdditiveClassifier):
    """sklearn.ensemble.HistGradientBoostingClassifier on numbers; nan is a value like others."""

    rules = Rules(finite="any")
    zero_is_positive = False


class HistGradientBoostingRegressor(AdditiveRegressor):
    """sklearn.ensemble.HistGradientBoostingRegressor on numbers; nan is a value like others."""

    rules = Rules(finite="any")


class WeightedEnsemble(Estimator):
    """Estimators with weights; each reads the input by its own rules."""

    def __init__(
        self,
        params: dict[str, Any],
        fitted: dict[str, Any],
        members: list[Any],
        weights: list[float],
    ) -> None:
        super().__init__(params, fitted)
        self._members = members
        self._weights = weights

    def _check(self, X: Any) -> None:
        """Refuse what scikit-learn refuses here; None passes, and the members read it as nan."""
        if isinstance(X, list) and any(None in row for row in X if isinstance(row, list)):
            X = [[0.0 if value is None else value for value in row] for row in X]
        self._read(X)


class AdaBoostClassifier(WeightedEnsemble, ProbabilityMixin, Classifier):
    """sklearn.ensemble.AdaBoostClassifier with the SAMME algorithm."""

    def _vote(self, X: Any) -> Rows:
        self._check(X)
        labels, count = self.classes_.tolist(), len(self.classes_)
        votes: list[list[float]] = [[0.0] * count for _ in X]
        for member, weight in zip(self._members, self._weights, strict=True):
            for row, label in zip(votes, member.predict(X), strict=True):
                for k in range(count):
                    row[k] += weight if label == labels[k] else -1 / (count - 1) * weight
        total = Array(self._weights).sum()
        return [[vote / total for vote in row] for row in votes]

    def decision_function(self, X: Any) -> Array:
        """Return the weighted vote: a number a row for two classes, else a row of them."""
        votes = self._vote(X)
        return (
            Array([v[1] - v[0] for v in votes])
            if len(self.classes_) == 2
            else self._to_array(votes)
        )

    def predict(self, X: Any) -> Array:
        """Return the labels."""
        scores = self.decision_function(X)
        if len(self.classes_) == 2:
            return self._label([int(score > 0) for score in scores])
        return self._label([argmax(row.tolist()) for row in scores])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, a row an input row."""
        scores, count = self.decision_function(X), len(self.classes_)
        if count == 2:
            return self._to_array([softmax([-score / 2, score / 2]) for score in scores])
        return self._to_array([softmax([s / (count - 1) for s in row]) for row in scores])


class AdaBoostRegressor(WeightedEnsemble):
    """sklearn.ensemble.AdaBoostRegressor: the weighted median of the members."""

    def _find_median(self, predictions: Sequence[float]) -> float:
        order = sorted(range(len(predictions)), key=predictions.__getitem__)
        sums, total = [], 0.0
        for i in order:
            total += self._weights[i]
            sums.append(total)
        return next(predictions[i] for i, s in zip(order, sums, strict=True) if s >= 0.5 * total)

    def predict(self, X: Any) -> Array:
        """Return one number a row."""
        self._check(X)
        columns = [member.predict(X).tolist() for member in self._members]
        return Array([self._find_median(row) for row in zip(*columns, strict=True)])
