"""Turn fitted scikit-learn estimators into the pure-Python classes of edgelift.worker.models.

Runs under the origin's Python (see export_estimators.py), which has scikit-learn and numpy, and
uses what their versions since 1.0 have in common; what it cannot turn is refused by class.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edgelift.worker.models import boosting, linear, preprocessing, tree
from edgelift.worker.models.array import Array

PLAIN_TYPES = (
    type(None), bool, int, float, str, bytes,
    decimal.Decimal, dt.datetime, dt.date, dt.timedelta,
)  # fmt: skip
MAX_ATTRIBUTE_CELLS = 20_000  # attributes are for reading; larger arrays are working data
# Fitted attributes that hold other estimators or what has become the pure-Python model.
HIDDEN_ATTRIBUTES = frozenset(
    {"estimators_", "estimator_", "base_estimator_", "tree_", "init_", "estimators_samples_"}
)
COMPUTED_ATTRIBUTES = ("feature_importances_", "n_features_in_", "coef_", "intercept_")


class Refused(Exception):  # noqa: N818 - a state, as in edgelift.errors
    """A value that cannot be exported; the message names its class and the reason."""


def read_kind(value: Any) -> str:
    """Return the public dotted name of a value's class: `sklearn.ensemble.IsolationForest`."""
    kind = type(value)
    parts = kind.__module__.split(".")
    private = next((i for i, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join([*parts[:private], kind.__qualname__])


def is_estimator(value: Any) -> bool:
    """Return whether a value looks like a fitted estimator or transformer of any library."""
    return not isinstance(value, type) and any(
        callable(getattr(value, name, None))
        for name in ("predict", "transform", "score_samples", "fit")
    )


def is_sklearn(value: Any) -> bool:
    """Return whether a value's class is scikit-learn's own, not one derived from it."""
    return type(value).__module__.split(".")[0] == "sklearn"


def to_plain(value: Any) -> Any:
    """Turn numbers, strings, arrays and containers of them into plain Python and Array.

    Raises Refused for anything else.
    """
    if type(value) in PLAIN_TYPES:
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return to_plain(value.item())
        if value.ndim <= 2 and value.dtype.kind in "biufUSO":
            return Array([to_plain(v) for v in value.ravel().tolist()], value.shape)
        raise Refused(f"a numpy array of {value.ndim} dimensions and type {value.dtype}")
    return _to_container(value, to_plain)


def _to_container(value: Any, turn: Callable[[Any], Any]) -> Any:
    if type(value) is dict:
        return {turn(key): turn(item) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(turn(item) for item in value)
    raise Refused(f"{read_kind(value)} has no pure-Python counterpart")


def convert(value: Any) -> Any:
    """Turn an estimator, or a container that holds some, into its pure-Python counterpart.

    Raises Refused naming the class that has none.
    """
    if not is_estimator(value):
        try:
            return to_plain(value)
        except Refused:
            return _to_container(value, convert)
    name = type(value).__name__
    converter = CONVERTERS.get(name) if is_sklearn(value) else None
    if converter is None:
        raise Refused(f"{read_kind(value)} has no pure-Python counterpart")
    try:
        return converter(value)
    except AttributeError as error:
        raise Refused(
            f"{read_kind(value)} is not fitted, or of an unknown version: {error}"
        ) from error


def read_params(estimator: Any) -> dict[str, Any]:
    """Return the constructor's parameters that are plain values."""
    return _keep_plain(estimator.get_params(deep=False))


def read_fitted(estimator: Any) -> dict[str, Any]:
    """Return the public fitted attributes that are plain values of moderate size."""
    names = {n for n in vars(estimator) if n.endswith("_") and not n.startswith("_")}
    found = {}
    for name in sorted((names | set(COMPUTED_ATTRIBUTES)) - HIDDEN_ATTRIBUTES):
        try:
            found[name] = getattr(estimator, name)
        except (AttributeError, ValueError):  # a property that does not apply to this model
            continue
    return _keep_plain(found)


def _keep_plain(values: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        if getattr(value, "size", 0) <= MAX_ATTRIBUTE_CELLS:
            try:
                kept[name] = to_plain(value)
            except Refused:
                continue
    return kept


# --- trees


def build_tree(nodes: dict[str, Any], leaf_values: Any, *, columns: Any = None) -> tree.Tree:
    """Build a Tree from arrays by node; `leaf_values` holds a row a node, only leaves count.

    `columns` maps the tree's features to those of the whole input.
    """
    leaf = nodes["leaf"]
    feature = nodes["feature"] if columns is None else np.asarray(columns)[nodes["feature"]]
    slots = np.cumsum(leaf) - 1
    values = np.asarray(leaf_values, dtype=np.float64).reshape(len(leaf), -1)
    missing = np.where(leaf, 0, nodes["missing"]).astype(np.uint8)
    return tree.Tree(
        (
            np.where(leaf, -1, feature).tolist(),
            np.where(leaf, 0.0, nodes["threshold"]).tolist(),
            np.where(leaf, slots, nodes["left"]).tolist(),
            np.where(leaf, 0, nodes["right"]).tolist(),
        ),
        missing.tobytes() if missing.any() else None,
        values[leaf].ravel().tolist(),
        values.shape[1],
    )


def read_nodes(tree_: Any) -> dict[str, Any]:
    """Return the node arrays of a `tree_`; versions before 1.3 have no missing values."""
    nodes = tree_.__getstate__()["nodes"]
    has_missing = "missing_go_to_left" in (nodes.dtype.names or ())
    left = np.asarray(tree_.children_left)
    return {
        "leaf": left == -1,
        "feature": np.asarray(tree_.feature),
        "threshold": np.asarray(tree_.threshold),
        "left": left,
        "right": np.asarray(tree_.children_right),
        "missing": nodes["missing_go_to_left"] if has_missing else np.zeros(len(left), np.uint8),
    }


def _read_shares(tree_: Any) -> Any:
    """Return each node's class shares; versions before 1.3 store weighted counts."""
    values = np.asarray(tree_.value)[:, 0, :]
    sums = values.sum(axis=1, keepdims=True)
    return values if np.allclose(sums, 1.0) else values / sums


def _check_single_output(estimator: Any) -> None:
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise Refused(f"{read_kind(estimator)} with {estimator.n_outputs_} outputs")


def _convert_averaging(estimator: Any) -> Any:
    _check_single_output(estimator)
    members = getattr(estimator, "estimators_", [estimator])
    is_classifier = hasattr(estimator, "classes_")
    built = []
    for member in members:
        values = _read_shares(member.tree_) if is_classifier else member.tree_.value[:, 0, :]
        built.append(build_tree(read_nodes(member.tree_), values))
    supports = getattr(members[0], "_support_missing_values", None)
    allows_nan = bool(supports(np.zeros((1, 1)))) if supports else False
    kind = getattr(tree, type(estimator).__name__)
    return kind(read_params(estimator), read_fitted(estimator), built, allows_nan=allows_nan)


def _read_depths(nodes: dict[str, Any]) -> Any:
    """Return for each node how many nodes its path has, the root's being 1."""
    depths = np.ones(len(nodes["leaf"]))
    for node in np.flatnonzero(~nodes["leaf"]):  # a parent always stands before its children
        depths[[nodes["left"][node], nodes["right"][node]]] = depths[node] + 1
    return depths


def _convert_isolation_forest(forest: Any) -> tree.IsolationForest:
    from sklearn.ensemble._iforest import _average_path_length

    width = forest.n_features_in_
    built = []
    for member, columns in zip(forest.estimators_, forest.estimators_features_, strict=True):
        nodes = read_nodes(member.tree_)
        lengths = _average_path_length(member.tree_.n_node_samples)
        subset = None if forest._max_features == width else columns  # noqa: SLF001
        built.append(build_tree(nodes, _read_depths(nodes) + lengths - 1.0, columns=subset))
    scale = len(built) * float(_average_path_length([forest._max_samples])[0])  # noqa: SLF001
    return tree.IsolationForest(read_params(forest), read_fitted(forest), built, scale)


# --- boosting


def _convert_gradient_boosting(model: Any) -> Any:
    start = model.init_
    if start != "zero" and not type(start).__name__.startswith("Dummy"):
        raise Refused(f"{read_kind(model)} that starts from {read_kind(start)}")
    raw = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))  # noqa: SLF001
    stages = [
        [
            build_tree(read_nodes(m.tree_), m.tree_.value[:, 0, :] * model.learning_rate)
            for m in stage
        ]
        for stage in model.estimators_
    ]
    if not hasattr(model, "classes_"):
        link = "identity"
    elif model.loss == "exponential":
        link = "expit-double"
    else:
        link = "softmax" if raw.shape[1] > 1 else "expit"
    kind = getattr(boosting, type(model).__name__)
    return kind(read_params(model), read_fitted(model), raw[0].tolist(), stages, link)


def _build_histogram_tree(predictor: Any, model: Any) -> tree.Tree:
    nodes = predictor.nodes
    if "is_categorical" in nodes.dtype.names and nodes["is_categorical"].any():
        raise Refused(f"{read_kind(model)} with categorical features")
    return build_tree(
        {
            "leaf": nodes["is_leaf"].astype(bool),
            "feature": nodes["feature_idx"],
            "threshold": nodes["num_threshold"],
            "left": nodes["left"],
            "right": nodes["right"],
            "missing": nodes["missing_go_to_left"],
        },
        nodes["value"],
    )


def _convert_histogram_boosting(model: Any) -> Any:
    if getattr(model, "_preprocessor", None) is not None:
        raise Refused(f"{read_kind(model)} with categorical features")
    stages = [
        [_build_histogram_tree(predictor, model) for predictor in stage]
        for stage in model._predictors  # noqa: SLF001
    ]
    start = np.asarray(model._baseline_prediction, dtype=np.float64).ravel().tolist()  # noqa: SLF001
    if hasattr(model, "classes_"):
        link = "softmax" if len(start) > 1 else "expit"
    else:
        link = "exp" if model.loss in {"poisson", "gamma"} else "identity"
    kind = getattr(boosting, type(model).__name__)
    return kind(read_params(model), read_fitted(model), start, stages, link)


def _convert_adaboost(model: Any) -> Any:
    if getattr(model, "algorithm", "SAMME") == "SAMME.R":
        raise Refused(f"{read_kind(model)} with the algorithm SAMME.R, which scikit-learn dropped")
    if len(getattr(model, "classes_", (0, 1))) < 2:
        raise Refused(f"{read_kind(model)} with a single class")
    members = [convert(member) for member in model.estimators_]
    weights = model.estimator_weights_[: len(members)].tolist()
    kind = getattr(boosting, type(model).__name__)
    return kind(read_params(model), read_fitted(model), members, weights)


# --- linear models


def _read_weights(model: Any) -> tuple[list[list[float]], list[float], bool]:
    """Return the weights a row a score, the intercepts, and whether one score stays flat."""
    weights = np.asarray(model.coef_, dtype=np.float64)
    intercepts = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    flat = weights.ndim == 1 or hasattr(model, "classes_")
    weights = np.atleast_2d(weights)
    return weights.tolist(), np.broadcast_to(intercepts, len(weights)).tolist(), flat


def _convert_linear(model: Any) -> Any:
    weights, intercepts, flat = _read_weights(model)
    binarizer = getattr(model, "_label_binarizer", None)
    if binarizer is not None and binarizer.y_type_.startswith("multilabel"):
        raise Refused(f"{read_kind(model)} with several labels a row")
    kind = getattr(linear, type(model).__name__)
    return kind(read_params(model), read_fitted(model), weights, intercepts, flat=flat)


def _find_link(model: Any) -> str:
    """Return which way a classifier makes probabilities, by looking at what it does.

    How it depends on parameters has changed from version to version of scikit-learn.
    """
    if not hasattr(model, "predict_proba"):
        return "none"
    if type(model).__name__ == "SGDClassifier" and model.loss == "modified_huber":
        return "huber"
    rows = np.random.default_rng(1).normal(size=(5, np.shape(model.coef_)[1]))
    scores, shares = model.decision_function(rows), model.predict_proba(rows)
    if scores.ndim == 1:
        logistic = 1 / (1 + np.exp(-scores))
        return "ovr" if np.allclose(shares[:, 1], logistic, atol=1e-12) else "softmax-binary"
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return "softmax" if np.allclose(shares, powers, atol=1e-12) else "ovr"


def _convert_probabilistic(model: Any) -> Any:
    weights, intercepts, flat = _read_weights(model)
    kind = getattr(linear, type(model).__name__)
    params, fitted, link = read_params(model), read_fitted(model), _find_link(model)
    return kind(params, fitted, weights, intercepts, flat=flat, link=link)


# --- preprocessing


def _to_list(values: Any) -> list[float] | None:
    return None if values is None else np.asarray(values, dtype=np.float64).tolist()


def _convert_scaler(scaler: Any) -> Any:
    """Turn the three scalers that shift and divide."""
    shift = getattr(scaler, "mean_" if hasattr(scaler, "mean_") else "center_", None)
    wants_shift = getattr(scaler, "with_mean", getattr(scaler, "with_centering", False))
    wants_scale = getattr(scaler, "with_std", getattr(scaler, "with_scaling", True))
    kind = getattr(preprocessing, type(scaler).__name__)
    return kind(
        read_params(scaler),
        read_fitted(scaler),
        _to_list(shift) if wants_shift else None,
        _to_list(scaler.scale_) if wants_scale else None,
    )


def _convert_min_max(scaler: Any) -> Any:
    params = {"clip": False} | read_params(scaler)
    fitted = read_fitted(scaler)
    return preprocessing.MinMaxScaler(params, fitted, scaler.scale_.tolist(), scaler.min_.tolist())


def _convert_normalizer(normalizer: Any) -> Any:
    return preprocessing.Normalizer(read_params(normalizer), read_fitted(normalizer))


def _convert_imputer(imputer: Any) -> Any:
    marker = imputer.missing_values
    seen = getattr(imputer, "_fit_dtype", imputer.statistics_.dtype)
    if seen.kind not in "fiu" or not isinstance(marker, int | float):
        raise Refused(f"{read_kind(imputer)} for values that are no numbers")
    if imputer.add_indicator:
        raise Refused(f"{read_kind(imputer)} with add_indicator")
    fill = [float(value) for value in imputer.statistics_]
    if getattr(imputer, "keep_empty_features", False) and any(map(math.isnan, fill)):
        raise Refused(f"{read_kind(imputer)} that keeps empty features")
    return preprocessing.SimpleImputer(read_params(imputer), read_fitted(imputer), fill)


def _convert_polynomial(features: Any) -> Any:
    terms = [np.repeat(np.arange(len(row)), row).tolist() for row in features.powers_]
    return preprocessing.PolynomialFeatures(read_params(features), read_fitted(features), terms)


def _convert_pipeline(pipeline: Any) -> Any:
    steps = [
        (name, None if step is None or step == "passthrough" else convert(step))
        for name, step in pipeline.steps
    ]
    return preprocessing.Pipeline(read_params(pipeline), steps)


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier",
            "ExtraTreeRegressor", "RandomForestClassifier", "RandomForestRegressor",
            "ExtraTreesClassifier", "ExtraTreesRegressor",
        ),
        _convert_averaging,
    ),
    "IsolationForest": _convert_isolation_forest,
    "GradientBoostingClassifier": _convert_gradient_boosting,
    "GradientBoostingRegressor": _convert_gradient_boosting,
    "HistGradientBoostingClassifier": _convert_histogram_boosting,
    "HistGradientBoostingRegressor": _convert_histogram_boosting,
    "AdaBoostClassifier": _convert_adaboost,
    "AdaBoostRegressor": _convert_adaboost,
    **dict.fromkeys(
        (
            "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet",
            "ElasticNetCV", "BayesianRidge", "HuberRegressor", "SGDRegressor", "LinearSVR",
            "LinearSVC", "Perceptron", "RidgeClassifier", "RidgeClassifierCV",
        ),
        _convert_linear,
    ),
    **dict.fromkeys(
        ("LogisticRegression", "LogisticRegressionCV", "SGDClassifier"), _convert_probabilistic
    ),
    "StandardScaler": _convert_scaler,
    "RobustScaler": _convert_scaler,
    "MaxAbsScaler": _convert_scaler,
    "MinMaxScaler": _convert_min_max,
    "Normalizer": _convert_normalizer,
    "SimpleImputer": _convert_imputer,
    "PolynomialFeatures": _convert_polynomial,
    "Pipeline": _convert_pipeline,
}  # fmt: skip
