"""A server's SQL is cut into statements, and each into its shape and the values in it."""

from __future__ import annotations

import pytest

from edgelift.worker.moved.lexing import (
    LexError,
    make_shape,
    read_mark,
    read_written,
    split_statements,
)


def literals(sql: str, engine: str = "postgresql") -> tuple[str, ...]:
    (tokens,) = split_statements(sql, engine)
    return make_shape(tokens).literals


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT 'it''s'", ("it's",)),
        ("SELECT E'a\\'b\\n\\x41\\u00e9\\101'", ("a'b\nAéA",)),
        ("SELECT 'a\\b'", ("a\\b",)),
        ("SELECT $$it's$$, $t$a$$b$t$", ("it's", "a$$b")),
        ("SELECT 1, 2.50, .5, 1e3, 9999999999", ("1", "2.50", ".5", "1e3", "9999999999")),
        ("SELECT $1, $2", ()),
        ("SELECT 1 -- 2\n, 3 /* 4 /* 5 */ 6 */", ("1", "3")),
        ('SELECT "a;b", 1', ("1",)),
        ("SELECT a->>'b', c::text", ("b",)),
    ],
)
def test_postgres_literals(sql: str, found: tuple[str, ...]) -> None:
    assert literals(sql) == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT 'a\\'b', \"c\"", ("a'b", "c")),
        ("SELECT 'a\\%b\\_'", ("a\\%b\\_",)),
        ("SELECT x'41'", ("A",)),
        ("SELECT `a'b`, 1 # 2", ("1",)),
        ("SELECT @@autocommit, @a", ()),
        ("SELECT 'a\\0b'", ("a\0b",)),
    ],
)
def test_mysql_literals(sql: str, found: tuple[str, ...]) -> None:
    assert literals(sql, "mysql") == found


def test_equal_shapes_differ_in_values_alone() -> None:
    shapes = [
        make_shape(split_statements(sql)[0]).sql
        for sql in (
            "SELECT 1, 'a'",
            "select 1, 'a'",
            "SELECT 2, 'b'",
            "SELECT '2', 'b'",
            "SELECT 2.0, ''",
        )
    ]
    assert shapes[0] == shapes[2]
    assert len(set(shapes)) == 4


def test_the_scale_of_a_number_is_part_of_the_shape() -> None:
    assert make_shape(split_statements("SELECT 1.50")[0]).sql.endswith(".00")
    assert make_shape(split_statements("SELECT 9.99")[0]).sql.endswith(".00")


def test_statements_are_parted() -> None:
    assert len(split_statements("SELECT 1; ; SELECT ';' ;\n-- end")) == 2
    assert split_statements(" -- nothing\n") == []


@pytest.mark.parametrize("sql", ["SELECT 'a", 'SELECT "a', "SELECT $$a", "/* a", "SELECT E'a\\'"])
def test_what_does_not_end_is_told(sql: str) -> None:
    with pytest.raises(LexError, match="unterminated"):
        split_statements(sql)


@pytest.mark.parametrize(
    ("text", "is_text", "index"),
    [
        ("\ue0003\ue000", True, 3), ("x", True, None), ("", True, None), ("7000000000005", False, 5),
        ("8000000000005", False, 5), ("7000000000002.00", False, 2), ("17", False, None),
        ("7000000000001", True, 1), ("\ue000x\ue000", True, None),
    ],
)  # fmt: skip
def test_marks_are_read_back(text: str, is_text: bool, index: int | None) -> None:
    assert read_mark(text, is_text=is_text) == index


def test_mysql_names_expressions_by_their_text() -> None:
    sql = "SELECT DISTINCT COUNT(*), a + 1, concat(b, ',', c), 'x' FROM t"
    assert read_written(sql, split_statements(sql, "mysql")[0]) == [
        "COUNT(*)", "a + 1", "concat(b, ',', c)", "x"
    ]  # fmt: skip
