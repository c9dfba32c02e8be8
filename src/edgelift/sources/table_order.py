"""The order in which rows of tables go into a database whose foreign keys are enforced."""

from __future__ import annotations

from collections.abc import Sequence

from edgelift.model.catalogue import Catalogue, Table


def is_circular(circle: Sequence[Table]) -> bool:
    """Return whether tables refer to each other, or one to itself."""
    names = {table.name.lower() for table in circle}
    return any(key.target_table.lower() in names for t in circle for key in t.foreign_keys)


def sort_by_references(catalogue: Catalogue) -> list[list[Table]]:
    """Return the tables with parents before children; those in a circle stand in one list.

    Algorithm: R. Tarjan, Depth-first search and linear graph algorithms, 1972, by which strongly
    connected components come out in reverse topological order.
    """
    by_name = {table.name.lower(): table for table in catalogue.tables}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[Table]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for key in by_name[name].foreign_keys:
            parent = key.target_table.lower()
            if parent not in by_name:
                continue
            if parent not in order:
                visit(parent)
                low[name] = min(low[name], low[parent])
            elif parent in stack:
                low[name] = min(low[name], order[parent])
        if low[name] == order[name]:
            start = stack.index(name)
            found.append([by_name[member] for member in stack[start:]])
            del stack[start:]

    for name in by_name:
        if name not in order:
            visit(name)
    return found
