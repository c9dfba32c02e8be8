"""Read an estimator's input as scikit-learn does: the same conversions and the same refusals.

The messages are those of scikit-learn's `check_array`, since apps answer requests with them.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgelift.worker.models.array import Array

Finite = Literal["all", "allow-nan", "any"]

MISSING_VALUES_ADVICE = (
    " does not accept missing values encoded as NaN natively. For supervised learning, you might"
    " want to consider sklearn.ensemble.HistGradientBoostingClassifier and Regressor which accept"
    " missing values encoded as NaNs natively. Alternatively, it is possible to preprocess the"
    " data, for instance by using an imputer transformer in a pipeline or drop samples with"
    " missing values. See https://scikit-learn.org/stable/modules/impute.html You can find a list"
    " of all estimators that handle NaN values at the following page:"
    " https://scikit-learn.org/stable/modules/impute.html#estimators-that-handle-nan-values"
)
RESHAPE_ADVICE = (
    "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or"
    " array.reshape(1, -1) if it contains a single sample."
)
RAGGED = (
    "setting an array element with a sequence. The requested array has an inhomogeneous shape after"
    " 1 dimensions. The detected shape was ({rows},) + inhomogeneous part."
)
NOT_NUMERIC = (
    "dtype='numeric' is not compatible with arrays of bytes/strings."
    "Convert your data to numeric values explicitly instead."
)


@dataclass(frozen=True)
class Rules:
    """How a class reads input: in single precision or double, and which values pass.

    `numeric` refuses text, which others read as numbers; `none` reads None as nan.
    """

    single: bool = False
    finite: Finite = "all"
    numeric: bool = False
    none: bool = True


def _to_float(value: Any) -> float:
    """Return a float; numpy reads None as nan when it knows that it wants floats."""
    return math.nan if value is None else float(value)


def _is_line(value: Any) -> bool:
    return isinstance(value, Sequence | Array | array) and not isinstance(value, str | bytes)


def _describe(values: Sequence[Any]) -> str:
    """Write a line as numpy prints short arrays of floats."""
    texts = [f"{_to_float(v):.8g}" for v in values]
    return "[" + " ".join(t if any(c in t for c in ".en") else f"{t}." for t in texts) + "]"


def _convert(row: Sequence[Any], rules: Rules) -> list[float]:
    """Return a row of floats, rounded to single precision where the estimator works in it."""
    code = "f" if rules.single else "d"
    try:
        return array(code, row).tolist()
    except TypeError:
        read = _to_float if rules.none else float
        return array(code, [read(value) for value in row]).tolist()


def read_rows(X: Any, rules: Rules, name: str, features: int | None) -> list[list[float]]:
    """Return the rows of an input as lists of floats.

    Raises ValueError or TypeError as scikit-learn would for a wrong shape, for values that are no
    numbers, not finite or too large, and for another number of features than `features`.
    """
    if not _is_line(X):
        raise ValueError(
            f"Expected 2D array, got scalar array instead:\narray={X}.\n{RESHAPE_ADVICE}"
        )
    lines = list(X)
    if not lines or not all(_is_line(line) for line in lines):
        if any(_is_line(line) for line in lines):
            raise ValueError(RAGGED.format(rows=len(lines)))
        raise ValueError(
            f"Expected 2D array, got 1D array instead:\narray={_describe(lines)}.\n{RESHAPE_ADVICE}"
        )
    width = len(lines[0])
    if any(len(line) != width for line in lines):
        raise ValueError(RAGGED.format(rows=len(lines)))
    if rules.numeric and any(isinstance(cell, str | bytes) for line in lines for cell in line):
        raise ValueError(NOT_NUMERIC)
    rows = [_convert(line, rules) for line in lines]
    _check_finite(rows, rules, name)
    if width == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape=({len(rows)}, 0)) while a minimum of 1 is "
            f"required by {name}."
        )
    if features is not None and width != features:
        raise ValueError(
            f"X has {width} features, but {name} is expecting {features} features as input."
        )
    return rows


def _check_finite(rows: list[list[float]], rules: Rules, name: str) -> None:
    if rules.finite == "any" or all(map(math.isfinite, (v for row in rows for v in row))):
        return
    odd = [v for row in rows for v in row if not math.isfinite(v)]
    if rules.finite == "all" and any(map(math.isnan, odd)):
        raise ValueError(f"Input X contains NaN.\n{name}{MISSING_VALUES_ADVICE}")
    if any(map(math.isinf, odd)):
        kind = "float32" if rules.single else "float64"
        raise ValueError(f"Input X contains infinity or a value too large for dtype('{kind}').")
