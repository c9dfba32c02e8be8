"""Statements that were seen on their way to a server: which are the app's own, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from edgelift.sources.recorded_sql import RecordedStatement, judge, select_own
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
    ("sql", "fields", "problem"),
    [
        ("SELECT a FROM t WHERE b = %s AND c LIKE '%%x'", {}, ""),
        ("SELECT a FROM t WHERE b = $1::VARCHAR", {"kind": "built"}, ""),
        ("SELECT a %% 2 FROM t", {"bound": False, "engine": "mysql"}, "it cannot be read"),
        ("SELECT a FROM t WHERE b LIKE '100%s%%'", {"bound": False}, ""),
        ("SELECT to_tsvector(a) FROM t", {"kind": "built"}, "it calls to_tsvector()"),
        ("SELECT a FROM t", {"engine": "sqlite"}, ""),
    ],
)
def test_statements_are_judged_as_they_were_sent(
    sql: str, fields: dict[str, Any], problem: str
) -> None:
    assert judge(seen(sql, **fields)).partition(":")[0] == problem


def test_what_an_orm_made_up_and_what_is_no_query_are_not_the_apps_own() -> None:
    listed = [
        seen("SELECT a FROM t", kind="raw"),
        seen("SELECT b FROM t", kind="text"),
        seen("SELECT c FROM t", kind="orm"),
        seen("SELECT d FROM t", kind="built"),
        seen("BEGIN;"),
        seen("SET search_path TO shop"),
        seen("CREATE TABLE t (a int)"),
    ]
    assert [one.sql for one in select_own(listed)] == [f"SELECT {name} FROM t" for name in "abd"]


def test_each_text_is_judged_once_with_the_first_line_that_sent_it() -> None:
    refused = "SELECT to_tsvector(name) FROM jobs"
    listed = [
        seen(refused, kind="text", line=30),
        seen(refused, kind="text", line=12),
        seen("SELECT name FROM jobs", kind="text", line=50),
    ]
    found = [(f.rule, f.path, f.line) for f in judge_recorded(sorted(listed), ())]
    assert found == [("SQL-DIALECT-TEXT", "app.py", 12)]


def test_what_the_source_holds_as_it_is_is_judged_there() -> None:
    sql = "SELECT to_tsvector(name) FROM jobs"
    assert list(judge_recorded([seen(sql, kind="text")], {sql})) == []


def test_a_statement_of_no_line_of_the_app_is_told_without_one() -> None:
    [found] = judge_recorded(
        [seen("SELECT to_tsvector(a) FROM t", kind="text", path="", line=0)], ()
    )
    assert (found.path, found.line) == (None, None)
