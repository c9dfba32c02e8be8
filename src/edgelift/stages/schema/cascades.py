"""Foreign keys whose actions go round: the target lets them go as deep as its limit only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

from edgelift.stages.schema.issues import WARNING, Issue
from edgelift.targets import d1_dialect as d1

T = TypeVar("T", bound=Hashable)


def find_rounds(cascades: Iterable[tuple[T, T]]) -> frozenset[tuple[T, T]]:
    """Return those pairs (child, parent) of cascading keys from whose child the parent is reached.

    So a row may lead to rows of its own table, and these to others, without an end.
    """
    pairs = set(cascades)
    children: defaultdict[T, set[T]] = defaultdict(set)
    for child, parent in pairs:
        children[parent].add(child)
    return frozenset((c, p) for c, p in pairs if p in _reach(c, children))


def _reach(start: T, children: defaultdict[T, set[T]]) -> set[T]:
    found, left = {start}, [start]
    while left:
        for child in children[left.pop()] - found:
            found.add(child)
            left.append(child)
    return found


def judge_round(kind: str, name: str, what: str = "") -> Issue:
    """Return what a foreign key loses whose actions may follow rows of its own table."""
    return Issue(
        "SCHEMA-CASCADE-DEPTH", WARNING, kind, name,
        f"{what}cascades along rows of its own table: Cloudflare ends a statement with an error "
        f"that goes {d1.MAX_TRIGGER_DEPTH} levels deep",
        "delete trees from the leaves up in the app, where they may be as deep",
    )  # fmt: skip
