"""Every exported class against scikit-learn itself, on the rows that the proof makes and on others."""

# ruff: noqa: N806 - X is the name of inputs in scikit-learn
from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
from sklearn import (
    ensemble,
    impute,
    linear_model,
    neighbors,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer

from edgelift.sources.origin_scripts.estimator_conversion import Refused, convert
from edgelift.sources.origin_scripts.estimator_proof import prove, prove_value
from edgelift.worker.models.array import Array

pytestmark = pytest.mark.filterwarnings("ignore")

SEEDS = (0, 1)
CLASSIFIERS = {
    "tree": lambda: tree.DecisionTreeClassifier(max_depth=6, random_state=1),
    "tree-entropy": lambda: tree.DecisionTreeClassifier(criterion="entropy", random_state=1),
    "extra-tree": lambda: tree.ExtraTreeClassifier(random_state=1),
    "forest": lambda: ensemble.RandomForestClassifier(n_estimators=12, random_state=1),
    "forest-weighted": lambda: ensemble.RandomForestClassifier(
        n_estimators=9, class_weight="balanced", max_depth=4, random_state=1
    ),
    "extra-trees": lambda: ensemble.ExtraTreesClassifier(n_estimators=9, random_state=1),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=12, random_state=1),
    "boosting-zero": lambda: ensemble.GradientBoostingClassifier(
        n_estimators=5, init="zero", subsample=0.5, random_state=1
    ),
    "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=12, random_state=1),
    "adaboost": lambda: ensemble.AdaBoostClassifier(n_estimators=9, random_state=1),
    "logistic": linear_model.LogisticRegression,
    "logistic-cv": lambda: linear_model.LogisticRegressionCV(Cs=2, cv=2),
    "sgd": lambda: linear_model.SGDClassifier(random_state=1),
    "sgd-log": lambda: linear_model.SGDClassifier(loss="log_loss", random_state=1),
    "sgd-huber": lambda: linear_model.SGDClassifier(loss="modified_huber", random_state=1),
    "svc": lambda: svm.LinearSVC(random_state=1),
    "perceptron": lambda: linear_model.Perceptron(random_state=1),
    "ridge": linear_model.RidgeClassifier,
    "ridge-cv": linear_model.RidgeClassifierCV,
}
REGRESSORS = {
    "tree": lambda: tree.DecisionTreeRegressor(random_state=1),
    "extra-tree": lambda: tree.ExtraTreeRegressor(random_state=1),
    "forest": lambda: ensemble.RandomForestRegressor(n_estimators=9, random_state=1),
    "extra-trees": lambda: ensemble.ExtraTreesRegressor(n_estimators=9, random_state=1),
    "boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=12, random_state=1),
    "boosting-huber": lambda: ensemble.GradientBoostingRegressor(
        loss="huber", n_estimators=7, random_state=1
    ),
    "histogram": lambda: ensemble.HistGradientBoostingRegressor(max_iter=12, random_state=1),
    "histogram-poisson": lambda: ensemble.HistGradientBoostingRegressor(
        loss="poisson", max_iter=9, random_state=1
    ),
    "adaboost": lambda: ensemble.AdaBoostRegressor(n_estimators=7, random_state=1),
    "linear": linear_model.LinearRegression,
    "linear-through-zero": lambda: linear_model.LinearRegression(fit_intercept=False),
    "ridge": linear_model.Ridge,
    "ridge-cv": linear_model.RidgeCV,
    "lasso": lambda: linear_model.Lasso(alpha=0.01),
    "lasso-cv": lambda: linear_model.LassoCV(cv=2),
    "elastic": lambda: linear_model.ElasticNet(alpha=0.01),
    "elastic-cv": lambda: linear_model.ElasticNetCV(cv=2),
    "bayesian": linear_model.BayesianRidge,
    "huber": linear_model.HuberRegressor,
    "sgd": lambda: linear_model.SGDRegressor(random_state=1),
    "svr": lambda: svm.LinearSVR(random_state=1),
}
TRANSFORMERS = {
    "standard": preprocessing.StandardScaler,
    "standard-mean": lambda: preprocessing.StandardScaler(with_std=False),
    "standard-std": lambda: preprocessing.StandardScaler(with_mean=False),
    "min-max": preprocessing.MinMaxScaler,
    "min-max-clip": lambda: preprocessing.MinMaxScaler(feature_range=(-2, 3), clip=True),
    "max-abs": preprocessing.MaxAbsScaler,
    "robust": preprocessing.RobustScaler,
    "robust-scale": lambda: preprocessing.RobustScaler(with_centering=False),
    "l1": lambda: preprocessing.Normalizer("l1"),
    "l2": lambda: preprocessing.Normalizer("l2"),
    "max": lambda: preprocessing.Normalizer("max"),
    "polynomial": lambda: preprocessing.PolynomialFeatures(3),
    "interactions": lambda: preprocessing.PolynomialFeatures(
        interaction_only=True, include_bias=False
    ),
    "mean": impute.SimpleImputer,
    "median": lambda: impute.SimpleImputer(strategy="median"),
    "constant": lambda: impute.SimpleImputer(strategy="constant", fill_value=-1.0),
    "most-frequent": lambda: impute.SimpleImputer(strategy="most_frequent"),
}


def make_data(seed, classes=0, *, missing=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(160, 4)) * [1.0, 10.0, 0.01, 1.0]
    X[:, 3] = np.round(X[:, 3])  # ties between rows
    signal = X @ [1.0, 0.2, 30.0, 0.5] + rng.normal(size=160) * 0.3
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    if not classes:
        return X, np.exp(signal / 5)
    return X, np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes))


def check(original):
    """Export through pickle, as a file would be, and prove."""
    exported = pickle.loads(pickle.dumps(convert(original)))
    found = prove(original, exported, {})
    assert found["differences"] == []
    assert found["max_difference"] <= 1e-9
    assert found["rows"] > 100
    assert found["refusals"] > 0
    return exported, found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier(name, classes, seed):
    X, y = make_data(seed, classes)
    original = CLASSIFIERS[name]().fit(X, y)
    exported, found = check(original)
    assert "predict" in found["methods"]
    assert exported.predict(X.tolist()).tolist() == original.predict(X).tolist()
    for method in ("predict_proba", "decision_function", "predict_log_proba"):
        if hasattr(original, method):
            want, got = getattr(original, method)(X), getattr(exported, method)(X.tolist())
            assert got.shape == want.shape
            np.testing.assert_allclose(got.tolist(), want, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor(name, seed):
    X, y = make_data(seed)
    original = REGRESSORS[name]().fit(X, y)
    exported, _ = check(original)
    np.testing.assert_allclose(
        exported.predict(X.tolist()).tolist(), original.predict(X), atol=1e-9, rtol=1e-9
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformer(name, seed):
    imputer = isinstance(TRANSFORMERS[name](), impute.SimpleImputer)
    X, _ = make_data(seed, missing=imputer)
    original = TRANSFORMERS[name]().fit(X)
    exported, _ = check(original)
    got = exported.transform(X.tolist())
    assert got.shape == original.transform(X).shape
    np.testing.assert_allclose(got.tolist(), original.transform(X), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "options",
    [{}, {"contamination": 0.1}, {"max_features": 0.5}, {"max_samples": 1}, {"bootstrap": True}],
    ids=["default", "contamination", "some-features", "single-samples", "bootstrap"],
)
def test_isolation_forest(options, seed):
    X, _ = make_data(seed)
    original = ensemble.IsolationForest(n_estimators=20, random_state=seed, **options).fit(X)
    exported, found = check(original)
    assert found["leaves_reached"] == found["leaves"]
    assert exported.score_samples(X.tolist()).tolist() == pytest.approx(
        original.score_samples(X).tolist(), abs=1e-12
    )
    assert exported.offset_ == original.offset_


@pytest.mark.parametrize(
    "make",
    [
        lambda: tree.DecisionTreeClassifier(random_state=1),
        lambda: ensemble.RandomForestClassifier(n_estimators=7, random_state=1),
        lambda: ensemble.ExtraTreesClassifier(n_estimators=7, random_state=1),
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=9, random_state=1),
    ],
    ids=["tree", "forest", "extra-trees", "histogram"],
)
def test_trees_trained_with_missing_values(make):
    X, y = make_data(3, 3, missing=True)
    original = make().fit(X, y)
    exported, _ = check(original)
    assert exported.predict(X.tolist()).tolist() == original.predict(X).tolist()


def test_labels_keep_their_types():
    X, y = make_data(0, 3)
    for labels in (["red", "grün", "🔵"], [True, False, True], [10, 20, 30]):
        named = np.array(labels)[y]
        exported, _ = check(tree.DecisionTreeClassifier(random_state=0).fit(X, named))
        predicted = exported.predict(X.tolist())
        assert {type(label) for label in predicted} == {type(labels[0])}
        assert predicted.tolist() == named.tolist()
        assert exported.classes_.tolist() == sorted(set(labels))


def test_several_targets_of_a_linear_model():
    X, y = make_data(0)
    check(linear_model.LinearRegression().fit(X, np.stack([y, -y], axis=1)))
    exported, _ = check(linear_model.LinearRegression().fit(X, y.reshape(-1, 1)))
    assert exported.predict(X.tolist()).shape == (160, 1)


def test_pipelines():
    X, y = make_data(0, 2, missing=True)
    forest = pipeline.make_pipeline(
        impute.SimpleImputer(),
        "passthrough",
        preprocessing.StandardScaler(),
        ensemble.RandomForestClassifier(n_estimators=5, random_state=1),
    ).fit(X, y)
    exported, found = check(forest)
    assert found["leaves_reached"] == found["leaves"]
    assert exported.classes_.tolist() == [0, 1]
    assert exported["standardscaler"].mean_.tolist() == pytest.approx(forest[2].mean_.tolist())
    assert exported[-1].n_estimators == 5
    scaling = pipeline.make_pipeline(preprocessing.RobustScaler(), preprocessing.Normalizer())
    check(scaling.fit(make_data(0)[0]))
    check(
        pipeline.make_pipeline(
            preprocessing.MinMaxScaler(), ensemble.IsolationForest(n_estimators=9)
        ).fit(make_data(0)[0])
    )


def test_containers_of_models():
    X, y = make_data(0, 2)
    value = {
        "model": tree.DecisionTreeClassifier(max_depth=3).fit(X, y),
        "scalers": [preprocessing.StandardScaler().fit(X), None],
        "names": np.array(["a", "b"]),
        "threshold": np.float64(0.25),
        "shape": (1, 2),
    }
    exported = pickle.loads(pickle.dumps(convert(value)))
    assert exported["threshold"] == 0.25
    assert type(exported["threshold"]) is float
    assert exported["names"].tolist() == ["a", "b"]
    assert exported["shape"] == (1, 2)
    assert [proof["differences"] for proof in prove_value(value, exported, {})] == [[], []]


class DerivedForest(ensemble.RandomForestClassifier):
    """A user's own class."""


@functools.cache
def refused_models():
    X, y = make_data(0, 2)
    categories = np.hstack([X, (X[:, :1] > 0).astype(float)])
    multi = np.stack([y, 1 - y], axis=1)
    frame_encoder = ColumnTransformer([("scale", preprocessing.StandardScaler(), [0, 1])])
    return {
        "neighbors.KNeighborsClassifier has": neighbors.KNeighborsClassifier().fit(X, y),
        "svm.SVC has": svm.SVC().fit(X, y),
        "ColumnTransformer has": frame_encoder.fit(X),
        "DerivedForest has": DerivedForest(n_estimators=2).fit(X, y),
        "with 2 outputs": ensemble.RandomForestClassifier(n_estimators=2).fit(X, multi),
        "categorical features": ensemble.HistGradientBoostingClassifier(
            categorical_features=[4], max_iter=3
        ).fit(categories, y),
        "that starts from": ensemble.GradientBoostingClassifier(
            init=linear_model.LogisticRegression(), n_estimators=2
        ).fit(X, y),
        "add_indicator": impute.SimpleImputer(add_indicator=True).fit(X),
        "is not fitted": tree.DecisionTreeClassifier(),
    }


REFUSALS = (
    "neighbors.KNeighborsClassifier has",
    "svm.SVC has",
    "ColumnTransformer has",
    "DerivedForest has",
    "with 2 outputs",
    "categorical features",
    "that starts from",
    "add_indicator",
    "is not fitted",
)


@pytest.mark.parametrize("reason", REFUSALS)
def test_refused_by_name(reason):
    model = refused_models()[reason]
    with pytest.raises(Refused, match=reason):
        convert(model)
    with pytest.raises(Refused, match=reason):
        convert({"nested": [model]})


def test_other_objects_are_refused():
    with pytest.raises(Refused, match=r"builtins\.range has no pure-Python counterpart"):
        convert({"steps": range(3)})


# --- fault twins: the proof must see a change that a few random rows would not


def find_deep_node(pure):
    return max(i for i, feature in enumerate(pure.feature) if feature >= 0)


@pytest.mark.parametrize(
    ("make", "classes"),
    [
        (lambda: ensemble.RandomForestClassifier(n_estimators=12, random_state=1), 3),
        (lambda: ensemble.IsolationForest(n_estimators=25, random_state=1), 0),
        (lambda: ensemble.GradientBoostingRegressor(n_estimators=12, random_state=1), 0),
        (lambda: ensemble.HistGradientBoostingRegressor(max_iter=12, random_state=1), 0),
    ],
    ids=["forest", "isolation", "boosting", "histogram"],
)
@pytest.mark.parametrize("fault", ["threshold", "leaf", "child"])
def test_one_changed_number_in_a_tree_is_seen(make, classes, fault):
    X, y = make_data(2, classes)
    original = make().fit(X, y)
    exported = convert(original)
    stages = getattr(exported, "_stages", None)
    pure = stages[-1][0] if stages else exported._trees[-1]
    node = find_deep_node(pure)
    if fault == "threshold":
        pure.threshold[node] += abs(pure.threshold[node]) * 1e-6 + 1e-12
    elif fault == "leaf":
        pure.values[-1] += 1e-6
    else:
        pure.left[node], pure.right[node] = pure.right[node], pure.left[node]
    assert prove(original, exported, {})["differences"]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m._weights[0].__setitem__(2, m._weights[0][2] * (1 + 1e-6)),
        lambda m: m._intercepts.__setitem__(0, m._intercepts[0] + 1e-7),
    ],
    ids=["weight", "intercept"],
)
def test_one_changed_number_in_a_linear_model_is_seen(change):
    X, y = make_data(2, 2)
    original = linear_model.LogisticRegression().fit(X, y)
    exported = convert(original)
    change(exported)
    assert prove(original, exported, {})["differences"]


def test_swapped_labels_are_seen():
    X, y = make_data(2, 2)
    original = tree.DecisionTreeClassifier(max_depth=3).fit(X, y)
    exported = convert(original)
    exported.classes_ = Array([1, 0])
    assert prove(original, exported, {})["differences"]


def test_a_forgotten_check_of_the_input_is_seen():
    X, y = make_data(2, 2)
    original = ensemble.GradientBoostingClassifier(n_estimators=3).fit(X, y)
    exported = convert(original)
    exported.__dict__.pop("n_features_in_")
    assert any("no error" in d or "none" in d for d in prove(original, exported, {})["differences"])


def test_captured_rows_are_compared():
    X, y = make_data(2, 2)
    original = tree.DecisionTreeClassifier(max_depth=3).fit(X, y)
    captured = {"predict": X[:9].tolist(), "predict_proba": [[1.0]], "transform": [[1.0] * 4]}
    found = prove(original, convert(original), captured)
    assert found["captured"] == 9
    assert found["differences"] == []
