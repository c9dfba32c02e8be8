"""The tokenizer and what is read with it: calls, DDL that pragmas do not show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.sources.sqlite_ddl import parse_create_table, read_fts_content
from edgelift.sources.sqlite_tokens import read_calls, tokenize


@given(st.text())
def test_no_character_is_lost(text: str) -> None:
    tokens = tokenize(text)
    ends = [0, *(token.end for token in tokens)]
    gaps = [text[a : token.start] for a, token in zip(ends, tokens, strict=False)]
    assert "".join(g + t.text for g, t in zip(gaps, tokens, strict=True)) == text[: ends[-1]]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("\"a\"\"b\" [c]d] `e``f` 'g''h'", ['a"b', "c", "d", "]", "e`f", "g'h"]),
        ("a -- b\nc /* d ' */ e", ["a", "c", "e"]),
        ("ключ_1 $x x'0F' 1.5e-3 0x1F .5", ["ключ_1", "$x", "x'0F'", "1.5e-3", "0x1F", ".5"]),
        ("a->>'$.b'||c<>d", ["a", "->>", "$.b", "||", "c", "<>", "d"]),
        ("a /* never closed", ["a"]),
    ],
)
def test_tokens(sql: str, names: list[str]) -> None:
    assert [token.name for token in tokenize(sql)] == names


@pytest.mark.parametrize(
    ("sql", "calls"),
    [
        ('SELECT lower(a), "Upper"(b), round(x, 2)', [("lower", 1), ("upper", 1), ("round", 2)]),
        ("SELECT CAST(a AS DECIMAL(10, 2)) FROM t", []),
        ("INSERT INTO main.t(a, b) VALUES (now(), (1))", [("now", 0)]),
        ("WITH a(n) AS (SELECT 1), b(m) AS MATERIALIZED (SELECT f(1)) SELECT 1", [("f", 1)]),
        ("SELECT 1 WHERE a IN (1) AND (b) AND NOT EXISTS (SELECT 1)", []),
        (
            "SELECT sum(a) OVER (PARTITION BY f(b)) FROM t WINDOW w AS (ORDER BY a)",
            [("sum", 1), ("f", 1)],
        ),
        ("SELECT a FROM json_each(x) JOIN t ON lower(a) = b", [("json_each", 1), ("lower", 1)]),
        ("a REGEXP 'x' OR a LIKE ('y')", [("regexp", 2), ("like", 1)]),
        ("VIEW v(a, b) AS SELECT if(1, 2, 3)", [("if", 3)]),
        ("coalesce(nullif(a, ','), max((1), 2))", [("coalesce", 2), ("nullif", 2), ("max", 2)]),
        ("'lower(x)' -- upper(y)", []),
    ],
)
def test_calls(sql: str, calls: list[tuple[str, int]]) -> None:
    found = [(token.name.lower(), arguments) for token, arguments in read_calls(tokenize(sql))]
    assert found == calls


def test_ddl() -> None:
    table = parse_create_table(
        """CREATE TABLE "t (" (
          id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key, CHECK (no)
          a TEXT DEFAULT 'x, CHECK (y)' COLLATE "no case" NOT NULL CHECK (a <> ')' AND (1)),
          b AS (a || '(') VIRTUAL, [c d] INT REFERENCES p (id) ON DELETE SET NULL NOT DEFERRABLE,
          e DEFAULT (f(1)) REFERENCES p DEFERRABLE INITIALLY DEFERRED,
          CONSTRAINT "check" CHECK (id > 0) UNIQUE (a COLLATE rtrim),
          FOREIGN KEY (a, b) REFERENCES q (x, y) MATCH FULL DEFERRABLE INITIALLY IMMEDIATE
        ) STRICT"""
    )
    assert table.autoincrement
    assert table.checks == ["a <> ')' AND (1)", "id > 0"]
    assert table.deferred == [False, True, False]
    assert {c.name: (c.collation, c.generated) for c in table.columns.values()} == {
        "id": ("BINARY", None),
        "a": ("NO CASE", None),
        "b": ("BINARY", "a || '('"),
        "c d": ("BINARY", None),
        "e": ("BINARY", None),
    }


def test_ddl_of_another_kind_is_empty() -> None:
    for sql in (
        "CREATE VIEW v (a) AS SELECT 1",
        "",
        "CREATE TABLE t AS SELECT 1",
        "CREATE INDEX i ON t (a)",
    ):
        table = parse_create_table(sql)
        assert (table.columns, table.checks, table.autoincrement) == ({}, [], False)


@pytest.mark.parametrize(
    ("sql", "content"),
    [
        ("CREATE VIRTUAL TABLE f USING fts5 (a)", None),
        ("CREATE VIRTUAL TABLE f USING fts5 (a, content = '')", ""),
        ("CREATE VIRTUAL TABLE f USING fts5 (a, content=docs, content_rowid=id)", "docs"),
        ("CREATE VIRTUAL TABLE f USING fts5 (content, b)", None),
    ],
)
def test_content_of_fts(sql: str, content: str | None) -> None:
    assert read_fts_content(sql) == content
