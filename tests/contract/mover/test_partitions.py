"""Rules of single partitions: they go on holding for their rows in the one table, and only there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edgelift.model.findings import Level, Status
from tests.contract.mover.moving import judge, start_moving

SCRIPT = """
CREATE TABLE acc (id int PRIMARY KEY);
CREATE TABLE ev (id int, k text, at date NOT NULL, who int, only1 int, PRIMARY KEY (id, at))
  PARTITION BY RANGE (at);
CREATE TABLE ev1 PARTITION OF ev FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE ev2 PARTITION OF ev FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE ev1 ADD CONSTRAINT who_fk FOREIGN KEY (who) REFERENCES acc ON DELETE CASCADE;
ALTER TABLE ev2 ADD CONSTRAINT who_fk2 FOREIGN KEY (who) REFERENCES acc ON DELETE CASCADE;
ALTER TABLE ev1 ADD CONSTRAINT only_fk FOREIGN KEY (only1) REFERENCES acc;
ALTER TABLE ev1 ADD CONSTRAINT k_ok CHECK (k <> 'x');
CREATE UNIQUE INDEX ev1_k ON ev1 (k);
CREATE INDEX ev2_k ON ev2 (k) WHERE who > 1;
ALTER TABLE ev2 ADD CONSTRAINT u UNIQUE (k, who);
CREATE TABLE li (b boolean, n int) PARTITION BY LIST (b);
CREATE TABLE li1 PARTITION OF li FOR VALUES IN (true);
CREATE TABLE li2 PARTITION OF li DEFAULT;
CREATE UNIQUE INDEX li1n ON li1 (n);
CREATE UNIQUE INDEX li2n ON li2 (n);
CREATE TABLE timed (id int, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE timed1 PARTITION OF timed FOR VALUES FROM ('2024-01-01 12:00+02') TO (MAXVALUE);
ALTER TABLE timed1 ADD CONSTRAINT positive CHECK (id > 0);
CREATE TABLE timed0 PARTITION OF timed DEFAULT;
CREATE TABLE hashed (id int, n int) PARTITION BY HASH (id);
CREATE TABLE hashed0 PARTITION OF hashed FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE UNIQUE INDEX hashed0n ON hashed0 (n);
CREATE TABLE note (id int PRIMARY KEY, ev int, at date, FOREIGN KEY (ev, at) REFERENCES ev);
CREATE TABLE note1 (id int PRIMARY KEY, ev int, at date, FOREIGN KEY (ev, at) REFERENCES ev1);
INSERT INTO acc VALUES (1), (2);
INSERT INTO ev VALUES (1, 'a', '2024-02-02', 1, 1), (2, 'x', '2025-02-02', 1, 9),
  (3, 'x', '2025-02-02', 2, 9);
INSERT INTO note VALUES (1, 1, '2024-02-02');
INSERT INTO note1 VALUES (1, 1, '2024-02-02');
INSERT INTO li VALUES (true, 1), (false, 1), (NULL, 2);
"""
STAYS = {"partition public.ev1.only_fk", "partition public.hashed0.hashed0n"}
TAKEN = [
    "INSERT INTO ev VALUES (4, 'b', '2024-03-03', 1, 1)",
    "INSERT INTO ev VALUES (4, 'a', '2025-03-03', 1, 1)",
    "INSERT INTO li VALUES (1, 2)",
    "INSERT INTO timed VALUES (-1, '2024-01-01 09:59:59.000000')",
]
REFUSED = [
    ("INSERT INTO ev VALUES (4, 'x', '2024-03-03', 1, 1)", "ev1.k_ok"),
    ("INSERT INTO ev VALUES (4, 'a', '2024-03-03', 1, 1)", "UNIQUE"),
    ("INSERT INTO ev VALUES (4, 'x', '2025-03-03', 2, 1)", "UNIQUE"),
    ("INSERT INTO ev VALUES (4, 'b', '2025-03-03', 3, 1)", "FOREIGN KEY"),
    ("INSERT INTO li VALUES (1, 1)", "UNIQUE"),
    ("INSERT INTO timed VALUES (-1, '2024-01-01 10:00:00.000000')", "timed1.positive"),
    ("INSERT INTO li VALUES (0, 2)", "UNIQUE"),
    ("INSERT INTO note1 VALUES (2, 9, '2024-02-02')", "FOREIGN KEY"),
]


def test_what_has_a_condition_moves_and_the_rest_is_refused_by_rule(make_database) -> None:
    issues = judge(make_database(SCRIPT)).issues
    stays = {f"{i.kind} {i.name}" for i in issues if i.level is Level.ERROR}
    assert stays == STAYS
    assert [i.name for i in issues if i.rule == "SCHEMA-FK-PARTITION"] == ["note1.note1_ev_at_fkey"]


def test_the_rules_hold_for_their_partitions_rows(make_database, tmp_path: Path) -> None:
    url = make_database(SCRIPT)
    moving = start_moving(url, tmp_path, accepted={"SCHEMA-PARTITION-LOCAL"})
    moving.copy()
    assert {check.status for check in moving.prove().values()} <= {Status.PASS, Status.SKIPPED}
    db = sqlite3.connect(moving.part, isolation_level=None)
    db.execute("PRAGMA foreign_keys=ON")
    for statement in TAKEN:
        db.execute("SAVEPOINT s")
        db.execute(statement)
        db.execute("ROLLBACK TO s")
    for statement, why in REFUSED:
        with pytest.raises(sqlite3.IntegrityError, match=why):
            db.execute(statement)
    db.close()
