"""Operators of PostgreSQL's documents and arrays over JSON text, as compiler.py writes them."""

from __future__ import annotations

from collections.abc import Callable

Form = Callable[[str, str], str]


def _each(array: str, condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM json_each({array}) a WHERE {condition})"


def _as_text(left: str, right: str) -> str:
    """Return ->>: SQLite gives numbers and 0 or 1 where PostgreSQL gives text."""
    return (
        f"CASE {left} -> {right} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
        f"ELSE CAST({left} ->> {right} AS TEXT) END"
    )


def _follow(left: str, right: str, found: str) -> str:
    """Return `found` of the value `j` at a path, whose steps are a JSON array.

    As in PostgreSQL a step is an array's index or an object's key, whichever is met.
    """
    last = "WHEN k GLOB '-[0-9]*' THEN j -> ('$[#' || k || ']')"
    index = f"CASE {last} WHEN k GLOB '[0-9]*' THEN j -> CAST(k AS INTEGER) END"
    key = "j -> ('$.\"' || k || '\"')"
    step = f"CASE json_type(j) WHEN 'array' THEN {index} WHEN 'object' THEN {key} END"
    steps = f"SELECT w.n + 1, {step} FROM w JOIN e ON e.n = w.n"
    return (
        f"(WITH RECURSIVE e(n, k) AS (SELECT key, value FROM json_each({right})), "
        f"w(n, j) AS (SELECT 0, {left} UNION ALL {steps}) "
        f"SELECT {found} FROM w WHERE n = (SELECT count(*) FROM e))"
    )


def follow_path(left: str, right: str) -> str:
    """Return #>: the document at a path."""
    return _follow(left, right, "j")


def read_path(left: str, right: str) -> str:
    """Return the SQL value at a path."""
    return _follow(left, right, "j ->> '$'")


def _read_path_text(left: str, right: str) -> str:
    truths = "WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'"
    return _follow(left, right, f"CASE j {truths} ELSE CAST(j ->> '$' AS TEXT) END")


def _holds_elements(left: str, right: str) -> str:
    held = f"SELECT value FROM json_each({left})"
    return f"NOT {_each(right, f'a.value NOT IN ({held})')}"


def _overlaps(left: str, right: str) -> str:
    return _each(left, f"a.value IN (SELECT value FROM json_each({right}))")


def _holds_document(left: str, right: str) -> str:
    """Return jsonb's @>: every value of `right` at the same path, in arrays at any position."""
    same = "a.atom IS b.atom AND a.type = b.type"
    place = "(a.fullkey = b.fullkey OR (typeof(b.key) = 'integer' AND a.path = b.path))"
    inner = f"SELECT 1 FROM json_tree({left}) a WHERE {same} AND {place}"
    leaf = "b.type NOT IN ('object', 'array')"
    return f"NOT EXISTS (SELECT 1 FROM json_tree({right}) b WHERE {leaf} AND NOT EXISTS ({inner}))"


def _has_key(left: str, right: str) -> str:
    return _each(left, f"coalesce(a.key = {right}, 0) OR a.value = {right}")


def _has_any(left: str, right: str) -> str:
    keys = f"(SELECT value FROM json_each({right}))"
    return _each(left, f"a.key IN {keys} OR a.value IN {keys}")


def _has_all(left: str, right: str) -> str:
    here = f"SELECT key FROM json_each({left}) UNION SELECT value FROM json_each({left})"
    return f"NOT {_each(right, f'a.value NOT IN ({here})')}"


OF_ARRAYS: dict[str, Form] = {
    "@>": _holds_elements,
    "<@": lambda left, right: _holds_elements(right, left),
    "&&": _overlaps,
}
OF_DOCUMENTS: dict[str, Form] = {
    "->": lambda left, right: f"{left} -> {right}",
    "->>": _as_text,
    "#>": follow_path,
    "#>>": _read_path_text,
    "@>": _holds_document,
    "<@": lambda left, right: _holds_document(right, left),
    "?": _has_key,
    "?|": _has_any,
    "?&": _has_all,
}
