"""Rows that break a rule of the target are found and shown before the first byte moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.findings import Level, Status
from edgelift.model.mover_settings import CastSection, SchemaSection
from tests.contract.mover.moving import judge, start_moving

POSTGRES = """
CREATE TABLE owner (id integer PRIMARY KEY);
CREATE TABLE pet (id integer PRIMARY KEY, owner integer, age integer);
INSERT INTO owner VALUES (1);
INSERT INTO pet VALUES (1, 1, 3), (2, 77, -4), (3, NULL, 5);
ALTER TABLE pet ADD CONSTRAINT pet_owner FOREIGN KEY (owner) REFERENCES owner NOT VALID;
ALTER TABLE pet ADD CONSTRAINT old_enough CHECK (age >= 0) NOT VALID;
CREATE TABLE coin (id integer PRIMARY KEY, worth numeric(30, 20) UNIQUE);
INSERT INTO coin VALUES (1, 1.00000000000000000001), (2, 1.00000000000000000002), (3, 2);
"""
MYSQL = """
SET foreign_key_checks = 0, check_constraint_checks = 0, sql_mode = '';
CREATE TABLE owner (id int PRIMARY KEY);
CREATE TABLE pet (id int PRIMARY KEY, owner int, age int, kind enum('cat', 'dog'),
  CONSTRAINT pet_owner FOREIGN KEY (owner) REFERENCES owner (id),
  CONSTRAINT old_enough CHECK (age >= 0));
INSERT INTO owner VALUES (1);
INSERT INTO pet VALUES (1, 1, 3, 'cat'), (2, 77, -4, 'dog'), (3, NULL, 5, 'cow');
CREATE TABLE coin (id int PRIMARY KEY, worth decimal(30, 20) UNIQUE);
INSERT INTO coin VALUES (1, 1.00000000000000000001), (2, 1.00000000000000000002), (3, 2);
"""
REAL = SchemaSection(cast=(CastSection(to="real", table="coin", column="worth"),))
RULES = {"SCHEMA-FK-BROKEN", "SCHEMA-CHECK-BROKEN", "SCHEMA-UNIQUE-BROKEN"}


@pytest.fixture(params=["postgres", "mysql"])
def url(request) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("make_database")(POSTGRES)
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("broken")
    server.run_script(MYSQL, name)
    return server.make_url(name)


def test_each_broken_rule_is_shown_with_examples(url: str) -> None:
    found = {
        (i.rule, i.name.rpartition(".")[2]): i.message
        for i in judge(url, REAL).issues
        if i.rule in RULES and i.level is Level.ERROR
    }
    enum = {("SCHEMA-CHECK-BROKEN", "kind members")} if url.startswith("mysql") else set()
    unique = "coin_worth_key" if url.startswith("postgres") else "worth"
    assert set(found) == enum | {
        ("SCHEMA-FK-BROKEN", "pet_owner"),
        ("SCHEMA-CHECK-BROKEN", "old_enough"),
        ("SCHEMA-UNIQUE-BROKEN", unique),
    }
    assert "by 1 rows at the origin, such as 77" in found["SCHEMA-FK-BROKEN", "pet_owner"]
    assert "such as 2" in found["SCHEMA-CHECK-BROKEN", "old_enough"]
    assert "such as 1" in found["SCHEMA-UNIQUE-BROKEN", unique]


def test_accepted_the_rows_move_without_the_rules(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, REAL, accepted=RULES)
    moving.copy()
    checks = moving.prove()
    assert {checks[name].status for name in ("rows", "integrity")} == {Status.PASS}


def test_without_the_look_the_proof_would_find_them_late(
    url: str, tmp_path: Path, monkeypatch
) -> None:
    """The fault twin: what happened before, once all rows had moved."""
    from edgelift.stages.schema.server import inquiry

    monkeypatch.setattr(inquiry, "find_broken", lambda *_: {})
    moving = start_moving(url, tmp_path, SchemaSection(exclude=("coin",)))
    moving.copy()
    assert moving.prove()["integrity"].status is Status.FAIL
