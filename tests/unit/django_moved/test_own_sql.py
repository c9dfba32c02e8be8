"""The app's own SQL in Django becomes SQLite's, with Django's places, or is left with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from edgelift.model.vocabulary import Vocabulary
from edgelift.sources.django_sql import translate_part, translate_statement
from edgelift.sources.server_sql import build_translations

CASES = Path(__file__).resolve().parents[2] / "cases" / "moved_drivers"


def known(engine: str):
    """Return what translates the SQL of the recorded database of an engine."""
    text = json.loads((CASES / f"{engine}.json").read_text())
    return build_translations(msgspec.convert(text, Vocabulary), engine)


@pytest.mark.parametrize(
    ("text", "made", "kinds"),
    [
        ("SELECT name FROM people WHERE email = %s", 'SELECT "people"."name" AS "name" FROM "people" AS "people" WHERE "people"."email" = ?', ()),
        ("SELECT salary FROM people WHERE name LIKE 'x%%' AND id = %s", "x*' AND", ("numeric:2",)),
        ("SELECT name FROM people WHERE name LIKE %(n)s OR email = %(n)s", "replace(:n, '[', '[[]')", ()),
        ("SELECT id FROM people WHERE made > now() - interval '7 days'", "strftime('%Y-%m-%d %H:%M:%f', 'now', '-7 days')", ()),
        ("SELECT made, active FROM people ORDER BY age", "NULLS LAST", ("timestamptz", "boolean")),
        ("SELECT * FROM people WHERE id = %s", '"salary"', ()),
        ("SELECT p.* FROM people p", '"salary"', ()),
        ("SELECT salary * 2, count(*) FROM people GROUP BY 1", "COUNT(*)", ("numeric:2", "")),
        ("SELECT id FROM people WHERE id = ANY(%s)", "json_each(?)", ()),
        ("UPDATE people SET age = %s WHERE id = %s", '"age" = ? WHERE "people"."id" = ?', ()),
    ],
)  # fmt: skip
def test_statements_are_translated(text: str, made: str, kinds: tuple[str, ...]) -> None:
    found = translate_statement(text, known("postgresql"))
    assert found.problem == ""
    assert made.lower() in found.text.lower()
    assert found.kinds == kinds


@pytest.mark.parametrize(
    ("engine", "text", "problem"),
    [
        ("postgresql", "SELECT nope FROM people", 'column "nope" does not exist'),
        ("postgresql", "SELECT 1; SELECT 2", "it is not one statement"),
        ("postgresql", "SELECT 'x", "unterminated quoted string at or near \"'x\""),
        ("postgresql", "SELECT id FROM people WHERE made > now() - %s::interval", "it computes with a parameter as only the server does"),
        ("postgresql", "SELECT now() - interval '1 month'", "it computes with months"),
        ("mysql", "SELECT SLEEP(1)", "it calls sleep()"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_told(engine: str, text: str, problem: str) -> None:
    assert translate_statement(text, known(engine)).problem == problem


def test_mysql_s_places() -> None:
    found = translate_statement(
        "SELECT name FROM people WHERE id = %s AND name LIKE %s", known("mysql")
    )
    assert (found.problem, found.text.count("?")) == ("", 2)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("age > %s", '"age" > ?'),
        ("salary::text", '"salary"'),
        ("trim(email) LIKE 'x%%' AND age = %s", "GLOB 'x*' AND \"age\" = ?"),
        ("SELECT max(age) FROM people", "max("),
    ],
)
def test_parts_of_statements_are_translated_alone(text: str, made: str) -> None:
    found = translate_part(text, known("postgresql"))
    assert found.problem == ""
    assert made.lower() in found.text.lower()
    assert "FROM" not in found.text or text.startswith("SELECT")


def test_a_part_of_no_table_is_told() -> None:
    assert translate_part("nope > 1", known("postgresql")).problem
