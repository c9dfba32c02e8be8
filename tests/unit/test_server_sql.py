"""SQL of servers in SQLite's words: translated, or refused with the reason; kinds of result columns."""

from __future__ import annotations

import sqlite3

import pytest

from edgelift.sources.server_kinds import read_kinds
from edgelift.sources.server_sql import is_query, translate_sql

KEPT = [
    ("postgresql", "SELECT id FROM t WHERE a = :a"),
    ("postgresql", "INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO UPDATE SET b = excluded.b"),
]
CHANGED = [
    ("postgresql", "SELECT a FROM t ORDER BY a", "NULLS LAST"),
    ("postgresql", "SELECT a FROM t WHERE a ILIKE :p", "LIKE :p"),
    ("postgresql", "SELECT a FROM t WHERE a LIKE 'x_%'", "GLOB 'x?*'"),
    ("postgresql", "SELECT a::float FROM t", "CAST(a AS REAL)"),
    ("postgresql", "SELECT a FROM public.t FOR UPDATE", "FROM t"),
    ("postgresql", "SELECT now()", "strftime"),
    ("postgresql", "SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b", "ROW_NUMBER()"),
    ("postgresql", "SELECT extract(year FROM a) FROM t", "STRFTIME('%Y', a)"),
    ("mysql", "SELECT `a` FROM t LIMIT 2, 3", "LIMIT 3 OFFSET 2"),
    ("mysql", "SELECT CONCAT(a, b) FROM t", "a || b"),
    ("mysql", "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE b = VALUES(b)", "excluded.b"),
]
REFUSED = [
    ("postgresql", "SELECT now() - interval '7 days'", "intervals"),
    ("postgresql", "SELECT a FROM t WHERE a = ANY(:ids)", "ANY"),
    ("postgresql", "SELECT * FROM generate_series(1, 3) g", "generate_series"),
    ("postgresql", "SELECT a ->> 'x' FROM t", "documents"),
    ("postgresql", "SELECT relname FROM pg_catalog.pg_class", "catalogue"),
    ("postgresql", "SELECT a FROM t WHERE a ~ 'x'", "regular expressions"),
    ("mysql", "SELECT SLEEP(1) FROM t", "sleep"),
    ("postgresql", "SELECT FROM WHERE", ""),
]


@pytest.mark.parametrize(("engine", "text"), KEPT)
def test_what_both_know_stays_byte_by_byte(engine: str, text: str) -> None:
    assert translate_sql(text, engine) == (text, "")


@pytest.mark.parametrize(("engine", "text", "part"), CHANGED)
def test_what_means_another_thing_is_rewritten(engine: str, text: str, part: str) -> None:
    made = translate_sql(text, engine)
    assert not made.problem
    assert part.lower() in made.text.lower()
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (a UNIQUE, b)")
    db.execute(f"EXPLAIN {made.text}", {"p": "", "a": 1} if ":" in text.replace("::", "") else {})
    db.close()


@pytest.mark.parametrize(("engine", "text", "reason"), REFUSED)
def test_what_has_no_form_is_refused_with_the_reason(engine: str, text: str, reason: str) -> None:
    made = translate_sql(text, engine)
    assert made.problem
    assert reason in made.problem


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT a FROM t", True),
        ("select a from t", True),
        ("Select a colour from the list", False),
        ("UPDATE failed", False),
        ("DELETE FROM t", True),
        ("with love from me", True),  # it begins as a statement does; it cannot be read as one
        ("a SELECT in the middle FROM t", False),
    ],
)
def test_statements_are_told_from_prose(text: str, found: bool) -> None:
    assert is_query(text) is found


COLUMNS = {
    "parts": {"sku": "", "price": "numeric:2", "specs": "jsonb", "there": "boolean"},
    "jobs": {"at": "timestamptz", "rate": "numeric:3", "price": "numeric:1"},
}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("SELECT sku, price, stock > 0 FROM parts", ["", "numeric:2", "boolean"]),
        ("SELECT sum(p.price * j.rate) FROM parts p, jobs j", ["numeric:5"]),
        ("SELECT max(at) AS last FROM jobs", ["timestamptz"]),
        ("SELECT coalesce(sum(price), 0) FROM parts", ["numeric:2"]),
        ("SELECT sku, count(*) FROM parts GROUP BY sku", []),
        ("SELECT * FROM parts", []),
        ("SELECT price FROM parts, jobs", []),  # whose price it is cannot be told
        ("SELECT j.price FROM parts p JOIN jobs j ON true", ["numeric:1"]),
    ],
)
def test_kinds_of_result_columns(text: str, kinds: list[str]) -> None:
    assert read_kinds(text, "postgresql", COLUMNS) == kinds
