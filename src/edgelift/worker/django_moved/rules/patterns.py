"""Lookups of texts with the origin's care for case: contains, startswith, endswith, exact.

Both servers look at case in `contains` and its like; `icontains` and `iexact` compare the upper
case of all letters, where SQLite's LIKE and UPPER know those of ASCII alone.
"""

from __future__ import annotations

from typing import Any

from django.db.models.lookups import IExact, PatternLookup

from edgelift.worker.moved.letters import fold_for, to_upper, write_upper

_LOOKUPS = "django.db.models.lookups."


def _compile_sides(lookup: Any, compiler: Any, connection: Any) -> tuple[Any, Any, str | None]:
    """Return both sides, and the text that the right one is when it is a plain value."""
    lhs, lhs_params = lookup.process_lhs(compiler, connection)
    base: Any = PatternLookup if isinstance(lookup, PatternLookup) else IExact
    rhs, rhs_params = super(base, lookup).process_rhs(compiler, connection)
    plain = (
        lookup.rhs_is_direct_value() and len(rhs_params) == 1 and not lookup.bilateral_transforms
    )
    text = str(rhs_params[0]) if plain else None
    return (lhs, tuple(lhs_params)), (rhs, (text,) if plain else tuple(rhs_params)), text


def _ignore_case(left: Any, right: Any, text: str | None) -> tuple[Any, Any]:
    if text is not None:
        return (f"UPPER({fold_for(text, left[0])})", left[1]), ("%s", (to_upper(text),))
    return (write_upper(left[0]), left[1]), (write_upper(right[0]), right[1])


def _write(lookup: Any, compiler: Any, connection: Any) -> Any:
    left, right, text = _compile_sides(lookup, compiler, connection)
    name = lookup.lookup_name
    if name.startswith("i"):
        left, right = _ignore_case(left, right, text)
        name = name[1:]
    return _FORMS[name](left, right)


def _contains(left: Any, right: Any) -> Any:
    return f"INSTR({left[0]}, {right[0]}) > 0", (*left[1], *right[1])


def _startswith(left: Any, right: Any) -> Any:
    sql = f"SUBSTR({left[0]}, 1, LENGTH({right[0]})) = {right[0]} COLLATE BINARY"
    return sql, (*left[1], *right[1], *right[1])


def _endswith(left: Any, right: Any) -> Any:
    # SUBSTR(x, -0) would be the whole text: the position is counted from the front.
    start = f"LENGTH({left[0]}) - LENGTH({right[0]}) + 1"
    whole = f"LENGTH({left[0]}) >= LENGTH({right[0]})"
    sql = f"({whole} AND SUBSTR({left[0]}, {start}) = {right[0]} COLLATE BINARY)"
    return sql, (*left[1], *right[1], *left[1], *left[1], *right[1], *right[1])


def _exact(left: Any, right: Any) -> Any:
    return f"{left[0]} = {right[0]}", (*left[1], *right[1])


_FORMS = {
    "contains": _contains,
    "startswith": _startswith,
    "endswith": _endswith,
    "exact": _exact,
}


def _write_of_mysql(lookup: Any, compiler: Any, connection: Any) -> Any:
    """Return None for what is compared by the column's own collation."""
    return _write(lookup, compiler, connection)


RULES = {
    f"{_LOOKUPS}{name}": _write
    for name in (
        "Contains", "IContains", "StartsWith", "IStartsWith", "EndsWith", "IEndsWith", "IExact"
    )
}  # fmt: skip
