"""SQL of servers by its words alone: statements, places, and what no rule of the Worker reads."""

from __future__ import annotations

import pytest

from edgelift.sources.server_sql import (
    find_unknown,
    find_unknown_function,
    is_query,
    write_places,
)


@pytest.mark.parametrize(
    ("engine", "text", "reason"),
    [
        ("postgresql", "SELECT id FROM t WHERE a = %(a)s", ""),
        ("postgresql", "SELECT a FROM t WHERE a ILIKE %s ORDER BY a", ""),
        ("postgresql", "SELECT now() - interval '7 days'", ""),
        ("postgresql", "SELECT a FROM t WHERE a = ANY(%(ids)s)", ""),
        ("postgresql", "SELECT extract(year FROM a) FROM public.t FOR UPDATE", ""),
        ("postgresql", "SELECT to_tsvector(a) FROM t", "it calls to_tsvector()"),
        ("postgresql", "SELECT a FROM t WHERE a ~ 'x'", "it uses regexp_like()"),
        ("postgresql", "SELECT FROM WHERE", ""),
        ("mysql", "SELECT `a` FROM t LIMIT 2, 3", ""),
        ("mysql", "SELECT CONCAT(a, b) FROM t", ""),
        ("mysql", "SELECT SLEEP(1) FROM t", "it calls sleep()"),
    ],
)
def test_words_tell_what_no_rule_reads(engine: str, text: str, reason: str) -> None:
    found = find_unknown(text, engine)
    assert (found == reason) if "WHERE" not in text[7:18] else found


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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SELECT a FROM t WHERE b = :b AND c > :c_1", "SELECT a FROM t WHERE b = %(b)s AND c > %(c_1)s"),
        ("SELECT a::text FROM t", "SELECT a::text FROM t"),
        ("SELECT a::text FROM t WHERE b LIKE '%x' AND c = :c", "SELECT a::text FROM t WHERE b LIKE '%%x' AND c = %(c)s"),
        ("SELECT '\\:x', :y", "SELECT ':x', %(y)s"),
    ],
)  # fmt: skip
def test_places_of_text_are_the_driver_s(text: str, written: str) -> None:
    assert write_places(text) == written


@pytest.mark.parametrize(
    ("name", "count", "problem"),
    [
        ("lower", 1, ""), ("count", 0, ""), ("string_agg", 2, ""), ("date_trunc", 2, ""),
        ("now", 0, ""), ("row_number", 0, ""), ("lag", 1, ""), ("rank", 0, ""), ("coalesce", 2, ""),
        ("jsonb_build_object", 2, ""), ("to_tsvector", 1, "it calls to_tsvector()"),
    ],
)  # fmt: skip
def test_functions_are_judged_by_the_rules(name: str, count: int, problem: str) -> None:
    assert find_unknown_function(name, count, "postgresql") == problem
