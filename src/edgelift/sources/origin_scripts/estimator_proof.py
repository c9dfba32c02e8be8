"""Prove that an exported estimator gives what the original gives, on rows made to find differences.

Runs under the origin's Python (see export_estimators.py).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edgelift.sources.origin_scripts.estimator_conversion import is_estimator
from edgelift.sources.origin_scripts.estimator_rows import (
    Landmarks,
    TreePair,
    draw_rows,
    find_landmarks,
    list_edge_rows,
    reach_nodes,
)

METHODS = (
    "predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples",
    "transform",
)  # fmt: skip
BOUND = 1e-9  # largest difference allowed: absolute up to 1, relative to the original above
MAX_STEPS = 12_000_000  # node visits spent on whole-model comparisons, about 5 s
MAX_TREE_NODES = 300_000  # nodes compared tree by tree
MAX_NAMED = 10  # differences named one by one
SEED = 20_260_101


@dataclass
class Proof:
    """What was compared: `rows` by the whole estimator, `captured` of them seen from the app.

    `tree_rows` were compared tree by tree: `leaves_reached` of `leaves`. `ties` are labels that
    differ where the original's two best scores are equal within the bound. `max_difference` is the
    largest difference of two numbers, relative where the number is above 1. `differences` names
    what went beyond the bound.
    """

    rows: int = 0
    captured: int = 0
    methods: list[str] = field(default_factory=list)
    tree_rows: int = 0
    leaves: int = 0
    leaves_reached: int = 0
    refusals: int = 0
    ties: int = 0
    max_difference: float = 0.0
    differences: list[str] = field(default_factory=list)

    def add_difference(self, text: str) -> None:
        """Keep a difference's description; only the first ones are kept."""
        if len(self.differences) < MAX_NAMED:
            self.differences.append(text)


def pair_estimators(original: Any, exported: Any) -> list[tuple[Any, Any]]:
    """Return the outermost estimators of a value and their exports, found in the same places."""
    if is_estimator(original):
        return [(original, exported)]
    if isinstance(original, dict):
        return [
            pair
            for one, two in zip(original.values(), exported.values(), strict=True)
            for pair in pair_estimators(one, two)
        ]
    if isinstance(original, list | tuple):
        return [
            pair
            for one, two in zip(original, exported, strict=True)
            for pair in pair_estimators(one, two)
        ]
    return []


def _pair_tree(tree_: Any, exported: Any, columns: Any = None) -> TreePair:
    leaf_slots = np.cumsum(np.asarray(tree_.children_left) == -1) - 1

    def read(rows: list[list[float]]) -> list[int]:
        single = np.asarray(rows, dtype=np.float32)
        seen = single if columns is None else np.ascontiguousarray(single[:, columns])
        return leaf_slots[tree_.apply(seen)].tolist()  # type: ignore[no-any-return]

    return TreePair(exported, read, exported.find_slot, single=True)


def _pair_histogram_tree(predictor: Any, exported: Any, model: Any) -> TreePair:
    bitsets, index = model._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001

    def read(rows: list[list[float]]) -> list[float]:
        double = np.asarray(rows, dtype=np.float64)
        return predictor.predict(double, bitsets, index, 1).tolist()  # type: ignore[no-any-return]

    return TreePair(exported, read, exported.read_value, single=False)


def pair_trees(original: Any, exported: Any) -> list[TreePair]:
    """Return all trees inside an estimator with their exports; none for other estimators."""
    if hasattr(original, "steps"):
        return pair_trees(original.steps[-1][1], exported.steps[-1][1])
    if hasattr(original, "tree_"):
        return [_pair_tree(original.tree_, exported._trees[0])]  # noqa: SLF001
    if hasattr(original, "_predictors"):
        stages = zip(original._predictors, exported._stages, strict=True)  # noqa: SLF001
        return [
            _pair_histogram_tree(one, two, original)
            for ones, twos in stages
            for one, two in zip(ones, twos, strict=True)
        ]
    members = getattr(original, "estimators_", [])
    if hasattr(exported, "_stages"):
        twos = [two for stage in exported._stages for two in stage]  # noqa: SLF001
        ones = np.asarray(members).ravel()
        return [_pair_tree(one.tree_, two) for one, two in zip(ones, twos, strict=True)]
    if hasattr(exported, "_members"):
        pairs = zip(members, exported._members, strict=True)  # noqa: SLF001
        return [pair for one, two in pairs for pair in pair_trees(one, two)]
    columns = getattr(original, "estimators_features_", [None] * len(members))
    trees = getattr(exported, "_trees", [])
    return [
        _pair_tree(one.tree_, two, subset)
        for one, two, subset in zip(members, trees, columns, strict=True)
    ]


def compare_trees(trees: list[TreePair], landmarks: Landmarks, proof: Proof) -> list[list[float]]:
    """Compare tree by tree at every leaf and threshold; return the rows that reach the leaves."""
    base = draw_rows(landmarks, 1, SEED)[0] if landmarks.values else []
    budget, leaf_rows = MAX_TREE_NODES, []
    for number, pair in enumerate(trees):
        proof.leaves += sum(1 for feature in pair.exported.feature if feature < 0)
        if budget <= 0:
            continue
        leaves, sides = reach_nodes(pair, landmarks, base)
        budget -= len(leaves) + len(sides) // 2
        rows = leaves + sides
        expected = pair.read_original(rows)
        proof.tree_rows += len(rows)
        proof.leaves_reached += len({pair.exported.find_slot(row) for row in leaves})
        for row, want in zip(rows, expected, strict=True):
            got = pair.read_export(row)
            if got != want:
                proof.add_difference(f"tree {number}: {want!r} became {got!r} for {row}")
        leaf_rows += leaves
    return leaf_rows


def _call(estimator: Any, method: str, rows: Any) -> tuple[Any, str]:
    """Return a method's result as nested lists, or the name of the exception it raised."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = getattr(estimator, method)(rows)
    except (ValueError, TypeError, OverflowError) as error:
        return None, type(error).__name__
    return result.tolist(), ""


def _difference(want: Any, got: Any) -> float:
    """Return how far two cells are apart: 0 for equal, inf for different kinds."""
    if type(want) is type(got) and (want == got or (want != want and got != got)):  # noqa: PLR0124
        return 0.0
    numbers = isinstance(want, int | float) and isinstance(got, int | float)
    if not numbers or not (math.isfinite(want) and math.isfinite(got)):
        return math.inf
    return float(abs(want - got) / max(1.0, abs(want)))


def _is_tie(original: Any, row: list[float]) -> bool:
    """Return whether the two best scores of a row are equal within the bound."""
    for method in ("decision_function", "predict_proba"):
        if hasattr(original, method):
            scores, _ = _call(original, method, [row])
            if isinstance(scores[0], float):
                return abs(scores[0]) <= BOUND
            best = sorted(scores[0])[-2:]
            return len(best) == 2 and _difference(*best) <= BOUND
    return False


def _compare_results(
    pair: tuple[Any, Any], method: str, rows: list[list[float]], proof: Proof
) -> None:
    original, exported = pair
    want, want_error = _call(original, method, rows)
    got, got_error = _call(exported, method, rows)
    if want_error or got_error:
        if want_error != got_error:
            proof.add_difference(
                f"{method}: {want_error or 'a result'} became {got_error or 'one'}"
            )
        return
    for row, one, two in zip(rows, want, got, strict=True):
        cells = zip(one, two, strict=True) if isinstance(one, list) else [(one, two)]
        apart = max((_difference(a, b) for a, b in cells), default=0.0)
        is_label = method == "predict" and hasattr(original, "classes_")
        if is_label and apart and _is_tie(original, row):
            proof.ties += 1
            continue
        if math.isfinite(apart):
            proof.max_difference = max(proof.max_difference, apart)
        if apart > BOUND or (is_label and apart):
            proof.add_difference(f"{method}: {one!r} became {two!r} for {row}")


def list_wrong_inputs(width: int) -> list[Any]:
    """Return inputs that an estimator must refuse, or treat, like the original."""
    good = [0.25] * width
    return [
        [[math.nan, *good[1:]]], [[math.inf, *good[1:]]], [[1e39, *good[1:]]], [[*good, 1.0]],
        [good[1:]] if width > 1 else [[]], good, [], [good, good[1:]], [["x", *good[1:]]],
        [[None, *good[1:]]], 3.0, [["0.5", *good[1:]]],
    ]  # fmt: skip


def _compare_refusals(pair: tuple[Any, Any], methods: list[str], width: int, proof: Proof) -> None:
    for rows in list_wrong_inputs(width):
        for method in methods:
            _, want = _call(pair[0], method, rows)
            _, got = _call(pair[1], method, rows)
            proof.refusals += bool(want)
            if want != got:
                proof.add_difference(
                    f"{method} of {rows}: {want or 'no error'} became {got or 'none'}"
                )


def _invert(original: Any, rows: list[list[float]]) -> list[list[float]]:
    """Lead rows of a pipeline's last step back to its input where its steps can be undone."""
    result: Any = np.asarray(rows, dtype=np.float64)
    try:
        for _name, step in reversed(original.steps[:-1]):
            if step is not None and step != "passthrough":
                result = step.inverse_transform(result)
    except (AttributeError, ValueError, RuntimeError):  # there is no way back
        return []
    return result.tolist() if np.isfinite(result).all() else []


def prove(original: Any, exported: Any, captured: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Compare an estimator with its export; `captured` holds the app's own rows by method."""
    proof = Proof(methods=[m for m in METHODS if hasattr(original, m) and hasattr(exported, m)])
    width = int(original.n_features_in_)
    trees = pair_trees(original, exported)
    final = original.steps[-1][1] if hasattr(original, "steps") else original
    inner_width = int(getattr(final, "n_features_in_", width))
    landmarks = find_landmarks(trees, inner_width)
    leaf_rows = compare_trees(trees, landmarks, proof)
    limit = max(60, min(4000, MAX_STEPS // (12 * max(1, len(trees)))))
    rows = leaf_rows[:: max(1, len(leaf_rows) // limit)] + draw_rows(landmarks, limit // 4, SEED)
    if final is not original:
        rows = _invert(original, rows) + draw_rows(Landmarks([[] for _ in range(width)]), 200, SEED)
    refuses_nan = any(_call(original, m, [[math.nan] * width])[1] for m in proof.methods)
    rows += list_edge_rows(width, allows_nan=not refuses_nan)
    for method in proof.methods:
        _compare_results((original, exported), method, rows, proof)
        seen = [row for row in captured.get(method, []) if len(row) == width]
        if seen:
            _compare_results((original, exported), method, seen, proof)
        proof.rows += len(rows) + len(seen)
        proof.captured += len(seen)
    _compare_refusals((original, exported), proof.methods, width, proof)
    return asdict(proof)


def prove_value(original: Any, exported: Any, captured: dict[str, Any]) -> list[dict[str, Any]]:
    """Prove each estimator that a value holds; a value that holds none has nothing to prove."""
    return [prove(one, two, captured) for one, two in pair_estimators(original, exported)]
