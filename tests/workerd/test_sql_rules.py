"""What the SQL rules of assess say of D1 is true of its engine: every refusal and substitute."""

from __future__ import annotations

import pytest

from edgelift.stages.assess.rules.database_sql import REFUSED_FUNCTIONS
from edgelift.targets.workerd.sql_check import check_statements
from edgelift.toolchain import Toolchain

pytestmark = pytest.mark.workerd

ARGUMENTS = {
    "power": "2, 3", "pow": "2, 3", "ceiling": "1.5", "ceil": "1.5", "log10": "10", "log": "10, 5",
    "if": "1, 2, 3", "iif": "1, 2, 3", "json_pretty": "'{}'", "json_error_position": "'{'",
    "json_valid": "'{'", "unistr": "'a'", "soundex": "'a'", "load_extension": "'a'",
    "sqlite_compileoption_used": "'a'", "sqlite_source_id": "", "median": "1", "percentile": "1, 2",
}  # fmt: skip
REFUSED = [
    "ATTACH DATABASE 'other.db' AS other",
    "CREATE TEMP TABLE chosen (id INTEGER)",
    "CREATE TEMPORARY VIEW seen AS SELECT 1",
    "VACUUM",
    "SELECT 'a' REGEXP 'b'",
    *(f"SELECT {name}({ARGUMENTS[name]})" for name in REFUSED_FUNCTIONS),
]
TAKEN = [
    "SELECT 'a' GLOB 'a*', 'a' LIKE 'A'",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA defer_foreign_keys = ON",
    *(f"SELECT {name}({ARGUMENTS[name]})" for name in REFUSED_FUNCTIONS.values() if name),
]


def test_refusals_and_substitutes(toolchain: Toolchain) -> None:
    errors = check_statements([*REFUSED, *TAKEN], toolchain)
    assert [e.index for e in errors] == list(range(len(REFUSED))), [
        ([*REFUSED, *TAKEN][e.index], e.message) for e in errors
    ]


def test_foreign_keys_cannot_be_switched_off(toolchain: Toolchain) -> None:
    statements = [
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (a_id INTEGER REFERENCES a(id))",
        "PRAGMA foreign_keys = OFF",
        "INSERT INTO b VALUES (1)",
    ]
    assert [e.index for e in check_statements(statements, toolchain)] == [3]
