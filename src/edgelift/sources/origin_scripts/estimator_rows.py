"""Make the input rows that prove an exported estimator: every node, both sides of each threshold.

Runs under the origin's Python (see export_estimators.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgelift.worker.models.tree import Tree

FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass
class TreePair:
    """One tree of the original and its export.

    `read_original(rows)` returns what identifies each row's leaf, `read_export(row)` the same from
    the exported tree. `single` says whether both work in single precision.
    """

    exported: Tree
    read_original: Any
    read_export: Any
    single: bool


@dataclass
class Landmarks:
    """Values of each feature around which something changes, with their spread."""

    values: list[list[float]]
    spreads: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.values = [sorted(set(v)) or [-1.0, 0.0, 1.0] for v in self.values]
        self.spreads = [max(v[-1] - v[0], abs(v[-1]), 1e-3) * 0.5 for v in self.values]


def find_landmarks(trees: list[TreePair], width: int) -> Landmarks:
    """Return the finite thresholds of each feature over all trees."""
    values: list[list[float]] = [[] for _ in range(width)]
    for pair in trees:
        exported = pair.exported
        for feature, threshold in zip(exported.feature, exported.threshold, strict=True):
            if feature >= 0 and math.isfinite(threshold):
                values[feature].append(threshold)
    return Landmarks(values)


def draw_rows(landmarks: Landmarks, count: int, seed: int) -> list[list[float]]:
    """Draw rows around the landmarks, wide and narrow, some features exactly on one."""
    rng = np.random.default_rng(seed)
    columns = []
    for values, spread in zip(landmarks.values, landmarks.spreads, strict=True):
        chosen = rng.choice(values, size=count)
        noise = rng.normal(size=count) * spread * rng.choice([0.0, 1e-3, 0.3, 2.0], size=count)
        columns.append(np.clip(chosen + noise, -FLOAT32_MAX, FLOAT32_MAX))
    return np.array(columns).T.tolist() if columns else []


def list_edge_rows(width: int, *, allows_nan: bool) -> list[list[float]]:
    """Return rows of extreme values: zeros, denormals, the largest single-precision numbers."""
    extremes = [0.0, -0.0, 1.0, -1.0, 1e-45, 5e-324, 1e30, -1e30, FLOAT32_MAX, -FLOAT32_MAX]
    rows = [[value] * width for value in extremes]
    rows += [[value if i == j else 0.5 for i in range(width)] for j in range(min(width, 50))
             for value in (1e12, -1e12)]  # fmt: skip
    if allows_nan:
        rows.append([math.nan] * width)
        rows += [[math.nan if i == j else 0.1 for i in range(width)] for j in range(min(width, 50))]
    return rows


def _next(value: float, towards: float, *, single: bool) -> float:
    if single:
        return float(np.nextafter(np.float32(value), np.float32(towards)))
    return math.nextafter(value, towards)


def _round_down(value: float, *, single: bool) -> float:
    """Return the largest input value that is not above a threshold."""
    if not single:
        return value
    rounded = float(np.float32(value))
    return rounded if rounded <= value else _next(value, -math.inf, single=True)


def _inside(low: float, high: float, spread: float, *, single: bool) -> float:
    """Return an input value in (low, high]; the bound itself where nothing else fits."""
    if math.isinf(low) and math.isinf(high):
        return 0.0
    if math.isinf(low):
        middle = high - spread
    elif math.isinf(high):
        middle = low + spread
    else:
        middle = low + (high - low) / 2
    middle = float(np.float32(middle)) if single else middle
    return middle if low < middle <= high else _round_down(high, single=single)


def walk_boxes(tree: Tree) -> Iterator[tuple[int, dict[int, tuple[float, float]]]]:
    """Yield each node with the open-closed bounds of the features on its path."""
    stack: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
    while stack:
        node, box = stack.pop()
        yield node, box
        feature = tree.feature[node]
        if feature >= 0:
            low, high = box.get(feature, (-math.inf, math.inf))
            threshold = tree.threshold[node]
            stack.append((tree.right[node], box | {feature: (max(low, threshold), high)}))
            stack.append((tree.left[node], box | {feature: (low, min(high, threshold))}))


def reach_nodes(
    pair: TreePair, landmarks: Landmarks, base: list[float]
) -> tuple[list[list[float]], list[list[float]]]:
    """Return a row into each leaf, and rows on both sides of each inner node's threshold.

    A box that no single-precision number lies in gives a row that ends elsewhere; the caller counts
    the leaves that were reached.
    """
    leaves, sides = [], []
    tree, single = pair.exported, pair.single
    start = np.asarray(base, dtype=np.float32).tolist() if single else list(base)
    for node, box in walk_boxes(tree):
        row = list(start)
        for feature, (low, high) in box.items():
            row[feature] = _inside(low, high, landmarks.spreads[feature], single=single)
        if tree.feature[node] < 0:
            leaves.append(row)
            continue
        below = _round_down(tree.threshold[node], single=single)
        before, after = row[: tree.feature[node]], row[tree.feature[node] + 1 :]
        above = _next(below, math.inf, single=single)
        sides += [[*before, below, *after], [*before, above, *after]]
    return leaves, sides
