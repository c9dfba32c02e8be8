"""PostgreSQL's statements become SQLite's of the same meaning, with the kinds of their columns."""

from __future__ import annotations

import sys

import pytest

from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import from_oid
from edgelift.worker.moved.lexing import make_shape, split_statements
from edgelift.worker.moved.translation import Translation, Translations, declare

CASES = [
    ("SELECT id FROM accounts WHERE id = 5",
     'SELECT "accounts"."id" AS "id" FROM "accounts" AS "accounts" WHERE "accounts"."id" = :b0',
     ["int4"]),
    ("SELECT a.email e FROM public.accounts a ORDER BY a.email DESC LIMIT 3",
     ('SELECT "a"."email" AS "e" FROM "accounts" AS "a" ORDER BY "a"."email" DESC NULLS FIRST '
     "LIMIT COALESCE(:b0, -1)"), ["varchar"]),
    ("SELECT balance * 2, balance / 2, avg(balance), sum(id) FROM accounts GROUP BY balance", None,
     ["numeric", "ratio", "ratio", "int8"]),
    ("SELECT count(*), max(created), bool_and(active) FROM accounts", None,
     ["int8", "timestamptz", "bool"]),
    ("SELECT email ILIKE 'A%' FROM accounts", None, ["bool"]),
    ("SELECT 1 WHERE 5 = ANY($1)",
     'SELECT :b0 AS "?column?" WHERE :b2 IN (SELECT value FROM JSON_EACH(:b1))', ["int4"]),
    ("SELECT info->'k'->0->>'z' FROM accounts", None, ["text"]),
    ("SELECT mood FROM accounts ORDER BY mood",
     ('SELECT "accounts"."mood" AS "mood" FROM "accounts" AS "accounts" ORDER BY (CASE WHEN '
     "\"accounts\".\"mood\" = 'sad' THEN 0 WHEN \"accounts\".\"mood\" = 'ok' THEN 1 WHEN "
     "\"accounts\".\"mood\" = 'happy' THEN 2 END) NULLS LAST"), ["enum"]),
    ("DELETE FROM transfers t USING accounts a WHERE t.src = a.id",
     ('DELETE FROM "transfers" AS "t" WHERE EXISTS(SELECT 1 FROM "accounts" AS "a" WHERE '
     '"t"."src" = "a"."id")'), None),
    ("INSERT INTO transfers (src) VALUES (1), (2)",
     'INSERT INTO "transfers" ("src") VALUES (:b0), (:b1)', None),
]  # fmt: skip


def translate(translations: Translations, sql: str, oids: tuple[int, ...] = ()) -> Translation:
    (tokens,) = split_statements(sql)
    return translations.find(make_shape(tokens), declare(tuple(map(from_oid, oids))), {})


@pytest.fixture
def translations(catalogue):
    return Translations(catalogue)


@pytest.mark.parametrize(("sql", "made", "kinds"), CASES)
def test_statements(translations, sql: str, made: str | None, kinds: list[str] | None) -> None:
    found = translate(translations, sql)
    assert made is None or found.sql == made
    columns = None if found.columns is None else [kind.name for _name, kind in found.columns]
    assert columns == kinds


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("SELECT 1 FROM accounts WHERE id = $1 AND email = $2", ["int4", "varchar"]),
        ("INSERT INTO accounts (email, balance, tags) VALUES ($1, $2, $3)", ["varchar", "numeric", "array"]),
        ("UPDATE accounts SET balance = balance + $1 WHERE id = ANY($2)", ["numeric", "array"]),
        ("SELECT $1::int, $2", ["int4", "text"]),
        ("SELECT id FROM accounts LIMIT $1 OFFSET $2", ["int8", "int8"]),
        ("SELECT id FROM accounts WHERE created > $1 AND $2 = active", ["timestamptz", "bool"]),
        ("SELECT id FROM accounts WHERE created > now() - $1::interval", ["interval"]),
        ("SELECT id FROM accounts WHERE id IN ($1, $2)", ["int4", "int4"]),
        ("SELECT coalesce($1, balance) FROM accounts", ["numeric"]),
    ],
)  # fmt: skip
def test_parameters_get_their_kinds(translations, sql: str, kinds: list[str]) -> None:
    assert [kind.name for kind in translate(translations, sql).parameter_kinds] == kinds


def test_declared_parameters_keep_theirs(translations) -> None:
    found = translate(translations, "SELECT id FROM accounts WHERE id = $1", (20,))
    assert [kind.name for kind in found.parameter_kinds] == ["int8"]


REFUSED = [
    ("SELECT id FROM accounts WHERE email ~ 'x'", "0A000", "regexp_like"),
    ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM accounts", "0A000", ""),
    ("SELECT initcap(email) FROM accounts", "0A000", "initcap"),
    ("SELECT a.id FROM accounts a, LATERAL (SELECT 1) b", "0A000", "Lateral"),
    ("SELECT * FROM pg_class", "0A000", "catalogue"),
    ("SELECT * FROM information_schema.tables", "0A000", "catalogue"),
    ("SELECT created AT TIME ZONE 'Europe/Oslo' FROM accounts", "0A000", "UTC"),
    ("WITH x AS (DELETE FROM accounts RETURNING id) SELECT * FROM x", "0A000", "writes"),
    ("SELECT info @> info FROM accounts", "0A000", "known at run time"),
    ("SELECT to_char(created, 'Day') FROM accounts", "0A000", "to_char"),
    ("SELECT email::int FROM accounts", "0A000", "casts"),
    ("SELECT generate_series(1, 3)", "0A000", ""),
    ("SELECT nope FROM accounts", "42703", 'column "nope" does not exist'),
    ("SELECT a.nope FROM accounts a", "42703", "column a.nope does not exist"),
    ("SELECT id FROM accounts, transfers", "42702", 'column reference "id" is ambiguous'),
    ("SELECT x.id FROM accounts", "42P01", 'missing FROM-clause entry for table "x"'),
    ("SELECT * FROM nowhere", "42P01", 'relation "nowhere" does not exist'),
    ("SELECT * FROM other.accounts", "42P01", 'relation "other.accounts" does not exist'),
    ("SELECT id FROM accounts a, transfers a", "42712", "specified more than once"),
    ("SELECT id FROM accounts WHERE email = 1", "42883", "character varying = integer"),
    ("SELECT id FROM accounts WHERE active + 1 > 0", "42883", "boolean + integer"),
    ("SELECT id FROM accounts WHERE balance", "42804", "must be type boolean"),
    ("SELECT sum(email) FROM accounts", "42883", "function sum(character varying) does not exist"),
    ("SELECT upper(id) FROM accounts", "42883", "function upper(integer) does not exist"),
    ("SELECT CASE WHEN true THEN 1 ELSE 'x' END", "22P02", "integer"),
    ("SELECT CASE WHEN active THEN id ELSE email END FROM accounts", "42804", "cannot be matched"),
    ("INSERT INTO accounts (email, email2) VALUES (1, 2)", "42703", "of relation"),
    ("INSERT INTO accounts (email) VALUES (1, 2)", "42601", "more expressions"),
    ("INSERT INTO accounts (email, id) VALUES (1)", "42601", "more target columns"),
    ("INSERT INTO accounts (active) VALUES (5)", "42804", "is of type boolean"),
    ("UPDATE accounts SET balance = 'x'", "22P02", "numeric"),
    ("SELECT id FROM accounts LIMIT -1", "2201W", "LIMIT must not be negative"),
    ("SELECT id FROM accounts ORDER BY 7", "42P10", "position 7"),
    ("SELECT 'x'::mood2", "42704", 'type "mood2" does not exist'),
    ("SELECT 'x'::mood", "22P02", "invalid input value for enum mood"),
    ("SELECT id FROM accounts UNION SELECT 1, 2", "42601", "same number of columns"),
    ("SELEC 1", "42601", 'syntax error at or near "SELEC"'),
    ("SELECT (1", "42601", "syntax error at end of input"),
    ("SELECT id FROM accounts WHERE", "42601", "syntax error"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "state", "words"), REFUSED)
def test_what_cannot_be_kept_is_refused_with_its_state(translations, sql, state, words) -> None:
    with pytest.raises(ServerError) as caught:
        translate(translations, sql)
    assert caught.value.sqlstate == state
    assert words in caught.value.message


def test_translations_are_kept_by_shape_and_by_what_they_looked_at(translations) -> None:
    first = translate(
        translations, "SELECT date_trunc('month', created) FROM accounts WHERE id = 1"
    )
    again = translate(
        translations, "SELECT date_trunc('month', created) FROM accounts WHERE id = 2"
    )
    other = translate(translations, "SELECT date_trunc('day', created) FROM accounts WHERE id = 1")
    assert first is again
    assert "%Y-%m-01" in first.sql
    assert "%d 00:00" in other.sql


def test_what_tells_of_one_session_is_not_kept(translations) -> None:
    (tokens,) = split_statements("SELECT current_user")
    first = translations.find(make_shape(tokens), (), {"user": "ann"})
    other = translations.find(make_shape(tokens), (), {"user": "bob"})
    assert "'ann'" in first.sql
    assert "'bob'" in other.sql


def test_deep_and_long_statements_end() -> None:
    from edgelift.worker.moved.catalogue import Catalogue

    long = "SELECT " + ", ".join(["1"] * 300)
    assert len(translate(Translations(Catalogue()), long).columns or ()) == 300
    deep = "SELECT " + "(" * 400 + "1" + ")" * 400
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # reading an app's source raises it for the process
    try:
        with pytest.raises(ServerError) as caught:
            translate(Translations(Catalogue()), deep)
    finally:
        sys.setrecursionlimit(before)
    assert caught.value.sqlstate == "54001"
