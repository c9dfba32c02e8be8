"""What an exported estimator refuses, in scikit-learn's own words, and what it reads."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from sklearn import ensemble, linear_model, preprocessing, tree

from edgelift.sources.origin_scripts.estimator_conversion import convert
from edgelift.worker.models.array import Array

pytestmark = pytest.mark.filterwarnings("ignore")
RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
MODELS = {
    "forest": (
        ensemble.RandomForestClassifier(n_estimators=3, random_state=0).fit(X, Y),
        "predict",
    ),
    "isolation": (ensemble.IsolationForest(n_estimators=5, random_state=0).fit(X), "score_samples"),
    "boosting": (ensemble.GradientBoostingClassifier(n_estimators=3).fit(X, Y), "predict"),
    "histogram": (ensemble.HistGradientBoostingClassifier(max_iter=3).fit(X, Y), "predict"),
    "logistic": (linear_model.LogisticRegression().fit(X, Y), "predict"),
    "tree": (tree.DecisionTreeRegressor(max_depth=3).fit(X, Y), "predict"),
    "scaler": (preprocessing.StandardScaler().fit(X), "transform"),
    "ada": (ensemble.AdaBoostClassifier(n_estimators=3).fit(X, Y), "predict"),
}
PAIRS = {name: (model, convert(model), method) for name, (model, method) in MODELS.items()}
WRONG = {
    "nan": [[math.nan, 1.0, 2.0]],
    "infinity": [[math.inf, 1.0, 2.0]],
    "too large for single precision": [[1e39, 1.0, 2.0]],
    "nan before infinity": [[math.nan, math.inf, 2.0]],
    "infinity before nan": [[math.inf, math.nan, 2.0]],
    "one feature too many": [[1.0, 2.0, 3.0, 4.0]],
    "one feature too few": [[1.0, 2.0]],
    "a line": [1.0, 2.0, 3.0],
    "an empty line": [],
    "a number": 3.5,
    "rows without cells": [[]],
    "text": [["x", 1.0, 2.0]],
    "an object": [[{}, 1.0, 2.0]],
    "a huge integer": [[10**400, 1.0, 2.0]],
}
# Here scikit-learn lets numpy stumble; the type is the same, the words name numpy's inner parts.
OTHER_WORDS = {("logistic", "an object"), ("ada", "text")}
READ = {
    "integers": [[1, 2, 3], [0, -1, 5]],
    "booleans": [[True, False, True]],
    "tuples": ((1.0, 2.0, 3.0),),
    "a mixture": [[1, 2.5, True]],
    "negative zero": [[-0.0, 0.0, 1.0]],
    "denormals": [[5e-324, 1e-45, 1e-39]],
    "many rows": X.tolist(),
    "large integers": [[2**53 + 1, 2**24 + 1, 3]],
}


def outcome(model, method, rows):
    try:
        return getattr(model, method)(rows).tolist()
    except (ValueError, TypeError, OverflowError) as error:
        return type(error).__name__, " ".join(str(error).split())


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", PAIRS)
def test_refusals_have_the_same_words(name, wrong):
    original, exported, method = PAIRS[name]
    want, got = outcome(original, method, WRONG[wrong]), outcome(exported, method, WRONG[wrong])
    if (name, wrong) in OTHER_WORDS:
        assert got[0] == want[0]
    elif isinstance(want, tuple):
        assert got == want
    else:
        np.testing.assert_allclose(got, want)


@pytest.mark.parametrize("rows", READ)
@pytest.mark.parametrize("name", PAIRS)
def test_reads_the_same(name, rows):
    original, exported, method = PAIRS[name]
    np.testing.assert_allclose(
        outcome(exported, method, READ[rows]), outcome(original, method, READ[rows]), atol=1e-12
    )


@pytest.mark.parametrize("name", PAIRS)
def test_ragged_rows(name):
    original, exported, method = PAIRS[name]
    for rows in ([[1.0, 2.0, 3.0], [1.0]], [[1.0, 2.0, 3.0], 4.0]):
        want, got = outcome(original, method, rows), outcome(exported, method, rows)
        assert want[0] == got[0] == "ValueError"
        assert got[1].split(" The ")[0] == want[1].split(" The ")[0]


def test_an_array_is_an_input():
    _, exported, _ = PAIRS["forest"]
    rows = X[:4].tolist()
    assert exported.predict(Array.from_nested(rows)).tolist() == exported.predict(rows).tolist()


def test_decimals_are_numbers():
    original, exported, method = PAIRS["tree"]
    rows = [[Decimal("0.5"), Decimal(-1), Decimal(2)]]
    assert outcome(exported, method, rows) == outcome(original, method, rows)


def test_input_is_not_changed():
    rows = [[1, 2, 3]]
    PAIRS["scaler"][1].transform(rows)
    assert rows == [[1, 2, 3]]


@pytest.mark.parametrize("name", PAIRS)
def test_attributes(name):
    original, exported, _ = PAIRS[name]
    assert type(exported).__name__ == type(original).__name__
    assert exported.n_features_in_ == 3
    for attribute in (
        "classes_",
        "feature_importances_",
        "offset_",
        "coef_",
        "mean_",
        "n_classes_",
    ):
        if hasattr(original, attribute):
            want = getattr(original, attribute)
            got = getattr(exported, attribute)
            np.testing.assert_allclose(got.tolist() if hasattr(got, "tolist") else got, want)
    params = original.get_params()
    assert all(params[key] == value for key, value in exported.get_params().items())


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_predict", "set_params"])
def test_training_is_refused(method):
    _, exported, _ = PAIRS["forest"]
    with pytest.raises(RuntimeError, match="RandomForestClassifier was exported for prediction"):
        getattr(exported, method)(X, Y)
