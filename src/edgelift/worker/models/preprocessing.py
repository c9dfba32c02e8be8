"""Transformers that come before an estimator: scalers, imputer, polynomial features."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from edgelift.worker.models.array import Array, divide
from edgelift.worker.models.base import Estimator
from edgelift.worker.models.checks import Rules

# scikit-learn does not divide by less (preprocessing._data._handle_zeros_in_scale).
SMALLEST_NORM = 10 * sys.float_info.epsilon


class Transformer(Estimator):
    """Turns rows into rows; each class has its own `_change` for one of them."""

    _change: Callable[[list[float]], list[float]]

    def transform(self, X: Any) -> Array:
        """Return the changed rows."""
        rows = [self._change(row) for row in self._read(X)]
        return Array.from_rows(rows, len(rows[0]))


class AffineScaler(Transformer):
    """`(x - shift) / divisor` a column; either may be None."""

    rules = Rules(finite="allow-nan")

    def __init__(
        self,
        params: dict[str, Any],
        fitted: dict[str, Any],
        shift: list[float] | None,
        divisor: list[float] | None,
    ) -> None:
        super().__init__(params, fitted)
        self._shift = shift
        self._divisor = divisor

    def _change(self, row: list[float]) -> list[float]:
        if self._shift is not None:
            row = [x - s for x, s in zip(row, self._shift, strict=True)]
        if self._divisor is not None:
            row = [divide(x, d) for x, d in zip(row, self._divisor, strict=True)]
        return row


class StandardScaler(AffineScaler):
    """sklearn.preprocessing.StandardScaler."""


class RobustScaler(AffineScaler):
    """sklearn.preprocessing.RobustScaler."""


class MaxAbsScaler(AffineScaler):
    """sklearn.preprocessing.MaxAbsScaler."""

    def _change(self, row: list[float]) -> list[float]:
        row = super()._change(row)
        return [_clip(x, -1.0, 1.0) for x in row] if self.__dict__.get("clip") else row


class MinMaxScaler(Transformer):
    """sklearn.preprocessing.MinMaxScaler."""

    rules = Rules(finite="allow-nan")
    clip: bool
    feature_range: tuple[float, float]

    def __init__(
        self,
        params: dict[str, Any],
        fitted: dict[str, Any],
        factor: list[float],
        offset: list[float],
    ) -> None:
        super().__init__(params, fitted)
        self._factor = factor
        self._offset = offset

    def _change(self, row: list[float]) -> list[float]:
        scaled = [x * f + o for x, f, o in zip(row, self._factor, self._offset, strict=True)]
        return [_clip(x, *self.feature_range) for x in scaled] if self.clip else scaled


def _clip(value: float, low: float, high: float) -> float:
    return value if math.isnan(value) else min(max(value, low), high)


class Normalizer(Transformer):
    """sklearn.preprocessing.Normalizer: each row divided by its own norm."""

    rules = Rules(numeric=True)
    norm: str

    def _change(self, row: list[float]) -> list[float]:
        if self.norm == "l1":
            size = math.fsum(map(abs, row))
        elif self.norm == "l2":
            size = math.sqrt(math.fsum(x * x for x in row))
        else:
            size = max(map(abs, row))
        return row if size < SMALLEST_NORM else [x / size for x in row]


class SimpleImputer(Transformer):
    """sklearn.impute.SimpleImputer on numbers; `fill` is nan for a column that is dropped."""

    rules = Rules(finite="allow-nan")
    missing_values: float
    strategy: str

    def __init__(self, params: dict[str, Any], fitted: dict[str, Any], fill: list[float]) -> None:
        super().__init__(params, fitted)
        self._fill = fill
        if not math.isnan(self.missing_values):
            self.rules = Rules()  # type: ignore[misc]

    def _is_missing(self, value: Any) -> bool:
        if math.isnan(self.missing_values):
            return isinstance(value, float) and math.isnan(value)
        return value == self.missing_values

    def transform(self, X: Any) -> Array:
        """Return the rows with missing values filled in; text passes where sklearn lets it."""
        lets_text = self.strategy in {"most_frequent", "constant"} and isinstance(X, list)
        # Asked as scikit-learn asks, which also refuses what is not a list of rows.
        if lets_text and any(isinstance(value, str) for row in X for value in row):
            self._read([[0.0 if isinstance(v, str) else v for v in row] for row in X])
            rows = [self._change(list(row)) for row in X]
            return Array.from_rows(rows, len(rows[0]))
        return super().transform(X)

    def _change(self, row: list[float]) -> list[float]:
        return [
            fill if self._is_missing(x) else x
            for x, fill in zip(row, self._fill, strict=True)
            if not math.isnan(fill)
        ]


class PolynomialFeatures(Transformer):
    """sklearn.preprocessing.PolynomialFeatures; `terms` lists the columns of each product."""

    def __init__(
        self, params: dict[str, Any], fitted: dict[str, Any], terms: list[list[int]]
    ) -> None:
        super().__init__(params, fitted)
        self._terms = terms

    def _change(self, row: list[float]) -> list[float]:
        return [math.prod([row[i] for i in term], start=1.0) for term in self._terms]


class Pipeline(Estimator):
    """sklearn.pipeline.Pipeline: transformers, then any estimator; `None` steps pass rows on."""

    def __init__(self, params: dict[str, Any], steps: list[tuple[str, Any]]) -> None:
        super().__init__(params, {"steps": steps})

    @property
    def named_steps(self) -> dict[str, Any]:
        """Return the steps by name."""
        return dict(self.__dict__["steps"])

    def __len__(self) -> int:
        return len(self.__dict__["steps"])

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            return self.named_steps[key]
        return self.__dict__["steps"][key][1]

    def __getattr__(self, name: str) -> Any:
        # Pickle asks before __dict__ is filled.
        steps = self.__dict__.get("steps")
        if steps and name in PASSED_ON:
            return getattr(steps[-1][1], name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _last(self, method: str, X: Any) -> Any:
        final = self.__dict__["steps"][-1][1]
        for _name, step in self.__dict__["steps"][:-1]:
            X = X if step is None else step.transform(X)
        return X if final is None else getattr(final, method)(X)

    def predict(self, X: Any) -> Array:
        """Return the last step's predictions."""
        return self._last("predict", X)

    def predict_proba(self, X: Any) -> Array:
        """Return the last step's probabilities."""
        return self._last("predict_proba", X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the last step's logarithms of probabilities."""
        return self._last("predict_log_proba", X)

    def decision_function(self, X: Any) -> Array:
        """Return the last step's scores."""
        return self._last("decision_function", X)

    def score_samples(self, X: Any) -> Array:
        """Return the last step's scores of samples."""
        return self._last("score_samples", X)

    def transform(self, X: Any) -> Array:
        """Return the rows as the last step gives them."""
        return self._last("transform", X)


PASSED_ON = frozenset({"classes_", "n_features_in_", "feature_names_in_", "offset_"})
