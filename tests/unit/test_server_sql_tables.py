"""An app's SQL is judged before the cut with the tables that moved, as the Worker will judge it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from edgelift.model.vocabulary import Vocabulary
from edgelift.sources.server_sql import build_translations, find_problem, find_unknown

CASES = Path(__file__).resolve().parents[1] / "cases" / "moved_drivers"


def known(engine: str):
    """Return what translates the SQL of the recorded database of an engine."""
    text = json.loads((CASES / f"{engine}.json").read_text())
    return build_translations(msgspec.convert(text, Vocabulary), engine)


@pytest.mark.parametrize(
    ("engine", "text", "problem"),
    [
        ("postgresql", "SELECT id FROM people WHERE name LIKE %s AND id = ANY(%s)", ""),
        ("postgresql", "INSERT INTO people (name, email) VALUES (%(n)s, %(e)s) ON CONFLICT DO NOTHING", ""),
        ("postgresql", "UPDATE people SET salary = salary * %s WHERE made > now() - interval '1 day'", ""),
        ("postgresql", "SELECT {} FROM people", ""),
        ("postgresql", "SELECT name FROM people WHERE id IN %s AND email NOT IN %(e)s", ""),
        ("postgresql", "INSERT INTO people (name, email) VALUES %s RETURNING id", ""),
        ("mysql", "SELECT name FROM people WHERE id in %s", ""),
        ("postgresql", "BEGIN", ""),
        ("postgresql", "SELECT nope FROM people", 'column "nope" does not exist'),
        ("postgresql", "SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("postgresql", "SELECT name::int FROM people", "it casts text to integer"),
        ("postgresql", "SELECT info @> info FROM people", "@> of a document that is known at run time only"),
        ("postgresql", "SELECT info @> %s FROM people", ""),
        ("postgresql", "SELECT date_trunc(%(unit)s, made), id %% %(by)s FROM people", ""),
        ("postgresql", "SELECT sum(CASE WHEN name = %(a)s THEN %(b)s ELSE %(c)s END) FROM people", ""),
        ("postgresql", "SELECT name::int FROM people WHERE id = %s", "it casts text to integer"),
        ("postgresql", "SELECT nope FROM people WHERE id = %s", 'column "nope" does not exist'),
        ("mysql", "SELECT id %% %s, MOD(id, %s) FROM people", ""),
        ("postgresql", "SELECT 'x", "unterminated quoted string at or near \"'x\""),
        ("mysql", "SELECT id FROM people WHERE name LIKE %s LIMIT %s, %s", ""),
        ("mysql", "REPLACE INTO teams (id, title) VALUES (%s, %s)", ""),
        ("mysql", "SHOW TABLES", ""),
        ("mysql", "SELECT nope FROM people", 'column "nope" does not exist'),
        ("mysql", "DELETE FROM people ORDER BY id LIMIT 1", "DELETE with a join, ORDER BY or LIMIT"),
    ],
)  # fmt: skip
def test_statements_are_judged_by_the_tables(engine: str, text: str, problem: str) -> None:
    assert find_problem(text, known(engine)) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("INSERT INTO t (a) VALUES (%s) ON DUPLICATE KEY UPDATE a = VALUES(a)", ""),
        ("SELECT DATE_FORMAT(a, '%%Y'), IFNULL(b, NOW()) FROM t", ""),
        ("SELECT a REGEXP 'x' FROM t", "it uses regexp_like()"),
        ("SELECT SUBSTRING_INDEX(a, ',', 1) FROM t", "it uses substring_index()"),
        ("SELECT SOUNDEX2(a) FROM t", "it calls soundex2()"),
    ],
)
def test_words_alone_tell_what_no_rule_reads_in_mysql(text: str, problem: str) -> None:
    assert find_unknown(text, "mysql") == problem
