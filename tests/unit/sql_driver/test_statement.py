"""What the driver reads out of a statement's text."""

from __future__ import annotations

import pytest

from edgelift.worker.sqlite3.rewrite import count_columns, read_names, target_table
from edgelift.worker.sqlite3.statement import parse


@pytest.mark.parametrize(
    ("sql", "first", "verb"),
    [
        ("select 1", "SELECT", "SELECT"),
        ("VALUES (1)", "VALUES", "VALUES"),
        ("WITH a AS (SELECT 1) SELECT 2", "WITH", "SELECT"),
        ("WITH a AS (DELETE) INSERT INTO t SELECT 1", "WITH", "INSERT"),
        ("with recursive a(b) as (values(1)) update t set x = 1", "WITH", "UPDATE"),
        ("EXPLAIN QUERY PLAN DELETE FROM t", "EXPLAIN", "DELETE"),
        ("/* c */ replace into t values (1)", "REPLACE", "REPLACE"),
        ("PRAGMA x", "PRAGMA", "PRAGMA"),
        ("", "", ""),
        ("-- nothing", "", ""),
        (";;SELECT 1", "SELECT", "SELECT"),
    ],
)
def test_verbs(sql: str, first: str, verb: str) -> None:
    statement = parse(sql)
    assert (statement.first, statement.verb) == (first, verb)


@pytest.mark.parametrize(
    ("sql", "multiple"),
    [
        ("SELECT 1", False),
        ("SELECT 1;", False),
        ("SELECT 1; -- c", False),
        ("SELECT 1;;", True),
        ("SELECT 1; SELECT 2", True),
        ("SELECT ';'", False),
        ("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END", False),
        ("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 2", True),
    ],
)
def test_one_statement_at_a_time(sql: str, multiple: bool) -> None:
    assert parse(sql).multiple is multiple


@pytest.mark.parametrize(
    ("sql", "numbers", "names"),
    [
        ("? ?", [1, 2], [None, None]),
        ("?2 ?", [2, 3], [None, "?2", None]),
        (":a @b :a $c", [1, 2, 1, 3], [":a", "@b", "$c"]),
        ("? :a ?5 ?", [1, 2, 5, 6], [None, ":a", None, None, "?5", None]),
        ("'?' \"?\" -- ?\n /* ? */ [?]", [], []),
    ],
)
def test_parameters(sql: str, numbers: list[int], names: list[str | None]) -> None:
    statement = parse("SELECT " + sql)
    assert [slot.number for slot in statement.slots] == numbers
    assert list(statement.names) == names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1, 'x', a+1 , count(*)", ["1", "'x'", "a+1", "count(*)"]),
        ("SELECT a AS b, c d, e 'f g', (h) AS [i j] FROM t", ["b", "d", "f g", "i j"]),
        ("SELECT a FROM t", None),
        ("SELECT t.*, 1 FROM t", None),
        ("SELECT a COLLATE NOCASE, a IS NULL, a NOTNULL", ["a COLLATE NOCASE", "a IS NULL", "a NOTNULL"]),
        ("SELECT CASE WHEN a THEN b END, NOT a", ["CASE WHEN a THEN b END", "NOT a"]),
        ("SELECT DISTINCT 1 /* c */ FROM t", ["1 /* c */"]),
        ("SELECT (SELECT a, b FROM t), f(a, b)", ["(SELECT a, b FROM t)", "f(a, b)"]),
        ("SELECT a IS DISTINCT FROM b FROM t", ["a IS DISTINCT FROM b"]),
        ("SELECT ? + :x", ["? + :x"]),
        ("SELECT NULL, TRUE, CURRENT_DATE", ["NULL", "TRUE", "CURRENT_DATE"]),
        ("VALUES (1, (2), f(3, 4)), (5, 6, 7)", ["column1", "column2", "column3"]),
        ("WITH q AS (SELECT a, b, c) SELECT 1 x FROM q", ["x"]),
    ],
)  # fmt: skip
def test_names_the_text_tells(sql: str, names: list[str] | None) -> None:
    statement = parse(sql)
    assert read_names(statement) == names
    if names is not None:
        assert count_columns(statement) == len(names)


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("INSERT INTO t VALUES (1)", "t"),
        ('INSERT OR IGNORE INTO main."T x"(a) VALUES (1)', "T x"),
        ("REPLACE INTO [t] VALUES (1)", "t"),
        ("UPDATE OR FAIL t SET a = 1", "t"),
        ("DELETE FROM main.t", "t"),
        ("WITH q AS (SELECT 1) DELETE FROM t", "t"),
    ],
)
def test_target_table(sql: str, table: str) -> None:
    assert target_table(parse(sql)) == table


@pytest.mark.parametrize(
    ("sql", "ordinals"),
    [
        ("SELECT ? ORDER BY ?, a, ? DESC LIMIT ?", [False, True, True, False]),
        ("SELECT a GROUP BY a, ? HAVING ? ORDER BY f(?, ?)", [True, False, False, False]),
        ("SELECT sum(a) OVER (PARTITION BY ? ORDER BY ?), ?", [True, True, False]),
        ("SELECT ? IN (SELECT 1 ORDER BY ?) AND ?", [False, True, False]),
    ],
)
def test_terms_of_order_by(sql: str, ordinals: list[bool]) -> None:
    statement = parse(sql)
    assert [slot.token in statement.ordinals for slot in statement.slots] == ordinals


def test_functions_and_collations() -> None:
    statement = parse('SELECT My_F(a), "g"(1), h, a REGEXP b COLLATE Mine, c LIKE d FROM t')
    assert statement.functions == {"my_f", "g", "regexp", "like"}
    assert statement.collations == {"mine"}
