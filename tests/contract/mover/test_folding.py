"""Upper and lower case beyond ASCII: said of every kind of object, and judged on the texts there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.findings import Level, Status
from tests.contract.mover.moving import judge, start_moving

RULE = "SCHEMA-FUNCTION-ASCII"
SCRIPTS = {
    "postgres": """
CREATE TABLE people (id int PRIMARY KEY, name text, code text CHECK (code = upper(code)),
  low text GENERATED ALWAYS AS (lower(name)) STORED);
CREATE UNIQUE INDEX one_name ON people (lower(name));
CREATE INDEX quick ON people (upper(name));
CREATE VIEW loud AS SELECT id, upper(name) AS name FROM people;
INSERT INTO people VALUES (1, {name}, 'A'), (2, 'Bob', NULL);
""",
    "mysql": """
CREATE TABLE people (id int PRIMARY KEY, name varchar(50) COLLATE utf8mb4_bin,
  code varchar(9) COLLATE utf8mb4_bin CHECK (code = upper(code)),
  low varchar(50) COLLATE utf8mb4_bin GENERATED ALWAYS AS (lower(name)) STORED);
CREATE VIEW loud AS SELECT id, upper(name) AS name FROM people;
INSERT INTO people (id, name, code) VALUES (1, {name}, 'A'), (2, 'Bob', NULL);
""",
}
ASCII = {
    "postgres": {
        "check people.people_code_check": Level.WARNING,
        "generated column people.low": Level.WARNING,
        "index one_name": Level.WARNING,
        "view loud": Level.WARNING,
    },
    "mysql": {
        "check people.code": Level.WARNING,
        "generated column people.low": Level.WARNING,
        "view loud": Level.WARNING,
    },
}


@pytest.fixture(params=["postgres", "mysql"])
def kind(request) -> str:
    return request.param


@pytest.fixture
def make(kind: str, request):
    def build(name: str) -> str:
        script = SCRIPTS[kind].format(name=name)
        if kind == "postgres":
            return request.getfixturevalue("make_database")(script)
        server = request.getfixturevalue("mariadb_server")
        database = server.create_database("folding")
        server.run_script(script, database)
        return server.make_url(database)

    return build


def list_told(judgement) -> dict[str, Level]:
    return {f"{i.kind} {i.name}": i.level for i in judgement.issues if i.rule == RULE}


def test_what_folds_is_told_though_no_text_needs_it_yet(kind: str, make) -> None:
    judgement = judge(make("'Ann'"))
    assert list_told(judgement) == ASCII[kind]


def test_texts_beyond_ascii_stop_what_would_mean_another_thing(
    kind: str, make, tmp_path: Path
) -> None:
    url = make("'ÄNN'")
    accepted = {RULE, "SCHEMA-GENERATED"}
    moving = start_moving(url, tmp_path, accepted=accepted)
    expected = dict(ASCII[kind])
    expected.pop("generated column people.low")
    if "index one_name" in expected:
        expected["index one_name"] = Level.ERROR
    assert list_told(moving.judgement) == expected
    (generated,) = [i for i in moving.judgement.issues if i.rule == "SCHEMA-GENERATED"]
    assert "name holds 1 texts beyond ASCII" in generated.message
    moving.copy()
    assert {check.status for check in moving.prove().values()} <= {Status.PASS, Status.SKIPPED}
