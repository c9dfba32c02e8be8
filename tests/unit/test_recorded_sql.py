"""Statements that were seen on their way to a server: which are the app's own, and what their places become."""

from __future__ import annotations

from typing import Any

import pytest

from edgelift.sources.recorded_sql import RecordedStatement, select_own, to_plain
from edgelift.stages.plan.recorded import judge_recorded


def seen(sql: str, **fields: Any) -> RecordedStatement:
    given = {
        "path": "app.py",
        "line": 7,
        "engine": "postgresql",
        "kind": "raw",
        "bound": True,
        **fields,
    }
    return RecordedStatement(sql=sql, **given)


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        ("SELECT a FROM t WHERE b = %s", "SELECT a FROM t WHERE b = ?"),
        ("SELECT a FROM t WHERE b = %(name)s AND c > %(c_1)s", "SELECT a FROM t WHERE b = :name AND c > :c_1"),
        ("SELECT a %% 2 FROM t WHERE b LIKE '%%x' AND c = %s", "SELECT a % 2 FROM t WHERE b LIKE '%x' AND c = ?"),
        ("SELECT '%s' FROM t WHERE b = '100%%' AND c = %s", "SELECT '%s' FROM t WHERE b = '100%' AND c = ?"),
        ("SELECT a FROM t WHERE b = 'it''s %% %s' AND c = %s", "SELECT a FROM t WHERE b = 'it''s % %s' AND c = ?"),
        ("SELECT a FROM t WHERE b = $1", "SELECT a FROM t WHERE b = $1"),
        ("SELECT a FROM t WHERE b = :b", "SELECT a FROM t WHERE b = :b"),
    ],
)  # fmt: skip
def test_places_become_what_is_read_everywhere(sql: str, plain: str) -> None:
    assert to_plain(seen(sql)) == plain


def test_a_statement_without_parameters_keeps_its_signs() -> None:
    sql = "SELECT a % 2, '%s' FROM t WHERE b LIKE '100%%'"
    assert to_plain(seen(sql, bound=False)) == sql


def test_what_an_orm_made_up_and_what_is_no_query_are_not_the_apps_own() -> None:
    listed = [
        seen("SELECT a FROM t", kind="raw"),
        seen("SELECT b FROM t", kind="text"),
        seen("SELECT c FROM t", kind="orm"),
        seen("BEGIN;"),
        seen("SET search_path TO shop"),
        seen("CREATE TABLE t (a int)"),
    ]
    assert [one.sql for one in select_own(listed)] == ["SELECT a FROM t", "SELECT b FROM t"]


def test_each_text_is_judged_once_with_the_first_line_that_sent_it() -> None:
    refused = "SELECT now() - interval '1 day' FROM jobs"
    changed = "SELECT name FROM jobs WHERE name ILIKE :word"
    listed = [
        seen(refused, kind="text", line=30),
        seen(refused, kind="text", line=12),
        seen(changed, kind="text", line=40),
        seen("SELECT name FROM jobs", kind="text", line=50),
    ]
    found = [(f.rule, f.path, f.line) for f in judge_recorded(sorted(listed), ())]
    assert found == [("SQL-DIALECT-TEXT", "app.py", 12), ("SQL-DIALECT-CHANGED", "app.py", 40)]


def test_what_the_source_holds_as_it_is_is_judged_there() -> None:
    sql = "SELECT now() - interval '1 day' FROM jobs"
    assert list(judge_recorded([seen(sql, kind="text")], {sql})) == []


def test_a_statement_of_no_line_of_the_app_is_told_without_one() -> None:
    [found] = judge_recorded(
        [seen("SELECT a FROM t WHERE b @> ARRAY[1]", kind="text", path="", line=0)], ()
    )
    assert (found.path, found.line) == (None, None)
