from __future__ import annotations

import itertools
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.worker.sqlite3.tokens import (
    complete_statement,
    quote_name,
    quote_text,
    read_tokens,
    split_statements,
    unquote,
)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a", [("word", "SELECT"), ("word", "a")]),
        ("'it''s'", [("string", "'it''s'")]),
        ('"a ""b"" c"', [("quoted", '"a ""b"" c"')]),
        ("[a b]`c``d`", [("quoted", "[a b]"), ("quoted", "`c``d`")]),
        ("x'00FF' X''", [("blob", "x'00FF'"), ("blob", "X''")]),
        ("x'0'", [("word", "x"), ("string", "'0'")]),
        ("? ?12 :a @b1 $c", [("param", p) for p in ("?", "?12", ":a", "@b1", "$c")]),
        ("$ns::v(i)", [("param", "$ns::v(i)")]),
        ("1 1.5 .5 1e3 1.5E-3 0xFf 1_000", [("number", n) for n in ["1", "1.5", ".5", "1e3", "1.5E-3", "0xFf", "1_000"]]),
        ("a->>'$.x'", [("word", "a"), ("operator", "->>"), ("string", "'$.x'")]),
        ("a-- no\n-b/* no */c", [("word", "a"), ("operator", "-"), ("word", "b"), ("word", "c")]),
        ("a /* open", [("word", "a")]),
        ("'open", [("bad", "'open")]),
        ("é漢 _x$1", [("word", "é漢"), ("word", "_x$1")]),
        ("a||b<>c!=d==e<<f", [("word", w) if i % 2 == 0 else ("operator", o) for i, (w, o) in enumerate(zip("aabbccddeeff", ["", "||", "", "<>", "", "!=", "", "==", "", "<<", ""], strict=False))]),
    ],
)  # fmt: skip
def test_tokens(sql: str, expected: list[tuple[str, str]]) -> None:
    found = [(token.kind, token.text) for token in read_tokens(sql)]
    if "||" in sql:
        assert [text for kind, text in found if kind == "operator"] == [
            "||",
            "<>",
            "!=",
            "==",
            "<<",
        ]
    else:
        assert found == expected


@given(st.text())
def test_every_character_is_in_one_token_or_between_two(sql: str) -> None:
    tokens = read_tokens(sql)
    for before, after in itertools.pairwise(tokens):
        assert before.end <= after.start
    assert all(sql[token.start : token.end] == token.text for token in tokens)


@given(st.text(alphabet=st.characters(blacklist_characters="\0", blacklist_categories=("Cs",))))
def test_quoting_is_undone_and_is_what_sqlite_reads(text: str) -> None:
    (name,), (literal,) = read_tokens(quote_name(text)), read_tokens(quote_text(text))
    assert unquote(name) == text
    assert unquote(literal) == text
    connection = sqlite3.connect(":memory:")
    assert connection.execute(f"SELECT {literal.text}").fetchone()[0] == text
    connection.close()


SCRIPTS = [
    ("SELECT 1", ["SELECT 1"]),
    (";; ;", []),
    ("A; B ;\n-- c;\n/*;*/ C", ["A", "B", "C"]),
    ("SELECT ';', \";\", [;]; X", ["SELECT ';', \";\", [;]", "X"]),
    (
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM b; END; X",
        [
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM b; END",
            "X",
        ],
    ),
    ("CREATE TEMP TRIGGER t BEGIN X; END;", ["CREATE TEMP TRIGGER t BEGIN X; END"]),
    ('CREATE TABLE "trigger"(a); X', ['CREATE TABLE "trigger"(a)', "X"]),
]  # fmt: skip


@pytest.mark.parametrize(("script", "expected"), SCRIPTS)
def test_split(script: str, expected: list[str]) -> None:
    assert list(split_statements(script)) == expected


@pytest.mark.parametrize(
    "sql",
    ["", " ", "SELECT 1", "SELECT 1;", "SELECT ';'", "SELECT 1; -- c", ";",
     "CREATE TRIGGER t BEGIN X;", "CREATE TRIGGER t BEGIN X; END;", "CREATE TEMP TRIGGER t BEGIN X; END",
     "EXPLAIN CREATE TRIGGER t BEGIN X; END;", "CREATE TABLE t(a);"],
)  # fmt: skip
def test_complete_as_cpython_says(sql: str) -> None:
    assert complete_statement(sql) == sqlite3.complete_statement(sql)
