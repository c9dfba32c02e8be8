"""Expressions as data: expressions.json gives the origin's words and SQLite's, or why there are none.

To write the file anew after a wanted change, and then read the difference:
EDGELIFT_WRITE_CASES=1 python -m pytest tests/cases/test_expressions.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import apsw
import pytest

from edgelift.stages.schema.server.expressions import convert_default, convert_expression
from edgelift.stages.schema.server.scope import NEW_UUID, NOW, Scope, UnconvertibleError

FILE = Path(__file__).parent / "expressions.json"
CASES = json.loads(FILE.read_text())
KINDS = {
    "name": "text", "email": "text", "status": "text", "created": "timestamp", "born": "date",
    "price": "number", "year": "integer", "first_name": "text", "last_name": "text",
    "active": "boolean",
}  # fmt: skip


def convert(dialect: str, given: str, **more) -> dict[str, str]:
    scope = Scope(dialect=dialect, kinds=KINDS, opaque=frozenset({"secret"}), **more)
    try:
        return {"becomes": convert_expression(given, scope)}
    except UnconvertibleError as error:
        return {"refused": str(error)}


def test_every_case() -> None:
    found = [
        {
            "dialect": case["dialect"],
            "given": case["given"],
            **convert(case["dialect"], case["given"]),
        }
        for case in CASES
    ]
    if os.environ.get("EDGELIFT_WRITE_CASES"):
        FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == CASES


@pytest.mark.parametrize("dialect", ["postgres", "mysql"])
def test_sqlite_takes_what_it_is_given(dialect: str) -> None:
    db = apsw.Connection(":memory:")
    columns = "name email status created born price year first_name last_name active a b x d data done deleted_at amount title parent length"
    listed = ", ".join(f'"{c}"' for c in [*columns.split(), "Quoted Col", "secret"])
    db.execute(f"CREATE TABLE t ({listed})")
    for case in CASES:
        if case["dialect"] == dialect and "becomes" in case:
            db.execute(f"SELECT {case['becomes']} FROM t").fetchall()


@pytest.mark.parametrize(
    ("given", "kind", "becomes"),
    [
        ("'2024-05-06'::date", "date", "'2024-05-06'"),
        ("'2024-05-06 01:02:03+02'::timestamptz", "timestamp", "'2024-05-05 23:02:03.000000'"),
        ("now()", "timestamp", f"({NOW['sqlalchemy']})"),
        ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "uuid",
         "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
        ("'t'", "boolean", "1"),
        ("'-7'::integer", "integer", "-7"),
        ("'{}'::text[]", "json", "'[]'"),
        ("ARRAY['a', 'b']", "json", "'[\"a\", \"b\"]'"),
        ("(1 + 2)", "integer", "(1 + 2)"),
        ("CURRENT_DATE", "date", "CURRENT_DATE"),
    ],
)  # fmt: skip
def test_defaults_are_written_as_the_rows_are(given: str, kind: str, becomes: str) -> None:
    assert convert_default(given, kind, Scope(dialect="postgres")) == becomes


@pytest.mark.parametrize("style", ["text", "hex", "blob"])
def test_a_new_uuid_is_one_of_version_4(style: str) -> None:
    import uuid

    (value,) = apsw.Connection(":memory:").execute(f"SELECT {NEW_UUID[style]}").fetchone()
    found = uuid.UUID(bytes=value) if style == "blob" else uuid.UUID(value)
    assert found.version == 4
    assert found.variant == uuid.RFC_4122
    assert len(value) == {"text": 36, "hex": 32, "blob": 16}[style]


@pytest.mark.parametrize("style", ["sqlalchemy", "unix", "unix_ms"])
def test_now_has_the_form_of_the_rows(style: str) -> None:
    (value,) = apsw.Connection(":memory:").execute(f"SELECT {NOW[style]}").fetchone()
    assert len(str(value)) == {"sqlalchemy": 26, "unix": 10, "unix_ms": 13}[style]


def test_what_must_last_asks_for_no_time() -> None:
    for given in ("now()", "CURRENT_DATE", "gen_random_uuid()"):
        assert "in defaults only" in convert("postgres", given, lasting=True)["refused"]
