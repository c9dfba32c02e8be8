"""Decision trees: the node arrays of scikit-learn's `tree_` and the walk from root to leaf."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from edgelift.worker.models.array import Array
from edgelift.worker.models.base import Classifier, Estimator, ProbabilityMixin, Rows
from edgelift.worker.models.checks import Rules


class Tree:
    """A binary tree in flat arrays, one entry a node; node 0 is the root.

    An inner node sends a row to `left` when `row[feature] <= threshold`, else to `right`; nan goes
    left where `missing_left` (bytes, or None when no node does) holds 1. A leaf has feature -1, and
    `left` is then its slot: `values[slot * width : (slot + 1) * width]` is what it gives.
    """

    __slots__ = ("feature", "left", "missing_left", "right", "threshold", "values", "width")

    def __init__(
        self,
        nodes: tuple[Sequence[int], Sequence[float], Sequence[int], Sequence[int]],
        missing_left: bytes | None,
        values: Sequence[float],
        width: int,
    ) -> None:
        feature, threshold, left, right = nodes
        self.feature = array("i", feature)
        self.threshold = array("d", threshold)
        self.left = array("i", left)
        self.right = array("i", right)
        self.missing_left = missing_left
        self.values = array("d", values)
        self.width = width

    def __reduce__(self) -> tuple[Any, ...]:
        nodes = (self.feature, self.threshold, self.left, self.right)
        return Tree, (nodes, self.missing_left, self.values, self.width)

    def find_slot(self, row: Sequence[float]) -> int:
        """Return the slot of the leaf that a row reaches."""
        feature, threshold, left, right = self.feature, self.threshold, self.left, self.right
        node = 0
        if self.missing_left is None:
            while (column := feature[node]) >= 0:
                node = left[node] if row[column] <= threshold[node] else right[node]
            return left[node]
        while (column := feature[node]) >= 0:
            value = row[column]
            goes_left = value <= threshold[node] or (
                value != value and self.missing_left[node]  # noqa: PLR0124 - nan
            )
            node = left[node] if goes_left else right[node]
        return left[node]

    def read_value(self, row: Sequence[float]) -> float:
        """Return the single value of the leaf that a row reaches."""
        return self.values[self.find_slot(row)]

    def add_values(self, row: Sequence[float], sums: list[float]) -> None:
        """Add the values of the leaf that a row reaches to `sums`, column by column."""
        start = self.find_slot(row) * self.width
        for k in range(self.width):
            sums[k] += self.values[start + k]


class TreeEstimator(Estimator):
    """Input of trees: single precision; nan only where the training data had it or may have it."""

    rules = Rules(single=True)

    def __init__(
        self,
        params: dict[str, Any],
        fitted: dict[str, Any],
        trees: list[Tree],
        *,
        allows_nan: bool = False,
    ) -> None:
        super().__init__(params, fitted)
        self._trees = trees
        self._allows_nan = allows_nan

    def _read_single(self, X: Any) -> Rows:
        return self._read(X, Rules(single=True, finite="allow-nan") if self._allows_nan else None)

    def _average(self, X: Any) -> Rows:
        """Return the mean of the trees' leaf values, a list of `width` numbers a row."""
        width, count = self._trees[0].width, len(self._trees)
        results = []
        for row in self._read_single(X):
            sums = [0.0] * width
            for tree in self._trees:
                tree.add_values(row, sums)
            results.append([total / count for total in sums])
        return results


class AveragingClassifier(TreeEstimator, ProbabilityMixin, Classifier):
    """One tree or many: probabilities are the mean of the leaves' class shares."""

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, a row an input row."""
        return self._to_array(self._average(X))

    def predict(self, X: Any) -> Array:
        """Return the label of the largest probability; the first of equal ones."""
        return self._label_largest(self._average(X))


class AveragingRegressor(TreeEstimator):
    """One tree or many: the prediction is the mean of the leaves' values."""

    def predict(self, X: Any) -> Array:
        """Return one number a row."""
        return Array([row[0] for row in self._average(X)])


class DecisionTreeClassifier(AveragingClassifier):
    """sklearn.tree.DecisionTreeClassifier."""


class ExtraTreeClassifier(AveragingClassifier):
    """sklearn.tree.ExtraTreeClassifier."""


class DecisionTreeRegressor(AveragingRegressor):
    """sklearn.tree.DecisionTreeRegressor."""


class ExtraTreeRegressor(AveragingRegressor):
    """sklearn.tree.ExtraTreeRegressor."""


class RandomForestClassifier(AveragingClassifier):
    """sklearn.ensemble.RandomForestClassifier."""


class ExtraTreesClassifier(AveragingClassifier):
    """sklearn.ensemble.ExtraTreesClassifier."""


class RandomForestRegressor(AveragingRegressor):
    """sklearn.ensemble.RandomForestRegressor."""


class ExtraTreesRegressor(AveragingRegressor):
    """sklearn.ensemble.ExtraTreesRegressor."""


class IsolationForest(TreeEstimator):
    """sklearn.ensemble.IsolationForest; a leaf's value is its path length, worked out at export."""

    rules = Rules(single=True, finite="any")
    offset_: float

    def __init__(
        self, params: dict[str, Any], fitted: dict[str, Any], trees: list[Tree], scale: float
    ) -> None:
        super().__init__(params, fitted, trees)
        self._scale = scale

    def _score(self, row: list[float]) -> float:
        depth = 0.0
        for tree in self._trees:
            depth += tree.values[tree.find_slot(row)]
        # A forest of single samples has no depth: scikit-learn then counts 1.
        return -(2.0 ** -(depth / self._scale if self._scale else 1.0))

    def score_samples(self, X: Any) -> Array:
        """Return a number a row, from -1 to 0: the lower, the odder."""
        return Array([self._score(row) for row in self._read(X)])

    def decision_function(self, X: Any) -> Array:
        """Return the score above the threshold, a number a row: negative is an outlier."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Array:
        """Return -1 for outliers and 1 for inliers."""
        return self.decision_function(X).astype(lambda d: -1 if d < 0 else 1)
