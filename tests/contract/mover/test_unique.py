"""Values that become the same, or parents that are no longer found, are told before the load.

NOCASE folds A to Z; the servers' collations fold more (accents) and, in some languages, less.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.model.findings import Level, Status
from edgelift.model.mover_settings import CastSection, SchemaSection
from edgelift.stages.schema.server import inquiry
from tests.contract.mover.moving import judge, read_target, start_moving

RULES = {"SCHEMA-UNIQUE-BROKEN", "SCHEMA-FK-BROKEN"}
LOSSES = RULES | {"SCHEMA-COLLATION-ASCII", "SCHEMA-TYPE-LOSS"}
POSTGRES = """
CREATE EXTENSION citext;
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION noaccent (provider = icu, locale = 'und-u-ks-level1-kc-true', deterministic = false);
CREATE COLLATION turkish (provider = icu, locale = 'tr-u-ks-level2', deterministic = false);
CREATE COLLATION looks_ci (provider = icu, locale = 'und');
"""
# What the table is, its rows, and which pieces are broken in what way: piece -> (count, example).
CASES = {
    "postgres": {
        "citext-keeps": ("id int PRIMARY KEY, v citext UNIQUE", "(1, 'Aé'), (2, 'b'), (3, NULL), (4, NULL)", {}),
        "icu-keeps": ("id int PRIMARY KEY, v text COLLATE nocase UNIQUE", "(1, 'A'), (2, 'é'), (3, 'b')", {}),
        "accents-keep": ("id int PRIMARY KEY, v text COLLATE noaccent UNIQUE", "(1, 'a'), (2, 'A'), (3, 'é')", {}),
        "name-says-nothing": ("id int PRIMARY KEY, v text COLLATE looks_ci UNIQUE", "(1, 'a'), (2, 'A')", {}),
        "turkish": ("id int PRIMARY KEY, v text COLLATE turkish UNIQUE", "(1, 'I'), (2, 'i'), (3, 'b')", {"t.t_v_key": (1, "i")}),
        "turkish-index": (
            "id int PRIMARY KEY, v text COLLATE turkish, n int); CREATE UNIQUE INDEX part ON t (n, v) WHERE n > 0; SELECT (1",
            "(1, 'I', 1), (2, 'i', 1), (3, 'I', 0), (4, 'i', -1)",
            {"t part": (1, "1, i")},
        ),
        "bigint-as-real": ("id int PRIMARY KEY, v bigint UNIQUE", "(1, 9007199254740993), (2, 9007199254740992)", {"t.t_v_key": (1, "9007199254740992")}),
        "seconds": ("id int PRIMARY KEY, v timestamptz UNIQUE", "(1, '2024-01-01 00:00:00.1+00'), (2, '2024-01-01 00:00:00.9+00')", {"t.t_v_key": (1, "1704067200")}),
    },
    "mysql": {
        "general-keeps": ("id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_general_ci UNIQUE", "(1, 'A'), (2, 'é'), (3, 'b')", {}),
        "accents-keep": ("id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_uca1400_ai_cs UNIQUE", "(1, 'a'), (2, 'A'), (3, 'é')", {}),
        "binary-keeps": ("id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_bin UNIQUE", "(1, 'a'), (2, 'A'), (3, 'é'), (4, 'É')", {}),
        "turkish": ("id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_turkish_ci UNIQUE", "(1, 'I'), (2, 'i'), (3, 'É')", {"t.v": (1, "i")}),
        "czech": ("id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_czech_ci UNIQUE", "(1, 'cH'), (2, 'ch'), (3, 'x')", {"t.v": (1, "ch")}),
        "latvian": ("id int PRIMARY KEY, v varchar(9) CHARACTER SET latin7 COLLATE latin7_general_ci UNIQUE", "(1, 't'), (2, 'T')", {"t.v": (1, "t")}),
        "prefix": (
            "id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_danish_ci, UNIQUE KEY part (v(2))",
            "(1, 'aAx'), (2, 'aax'), (3, 'bb')",
            {"t part": (1, "aa")},
        ),
        "bigint-as-real": ("id int PRIMARY KEY, v bigint UNIQUE", "(1, 9007199254740993), (2, 9007199254740992)", {"t.v": (1, "9.00719925474")}),
        "seconds": ("id int PRIMARY KEY, v datetime(6) UNIQUE", "(1, '2024-01-01 00:00:00.1'), (2, '2024-01-01 00:00:00.9')", {"t.v": (1, "1704067200")}),
    },
}  # fmt: skip
CASTS = {"bigint-as-real": "real", "seconds": "unix"}
LISTED = [(kind, name) for kind, cases in CASES.items() for name in cases]


def settings_of(name: str) -> SchemaSection:
    cast = CASTS.get(name)
    return SchemaSection(cast=(CastSection(to=cast, table="t", column="v"),) if cast else ())


@pytest.fixture
def make(request):
    def start(kind: str, script: str) -> str:
        if kind == "postgres":
            return request.getfixturevalue("make_database")(POSTGRES + script)
        server = request.getfixturevalue("mariadb_server")
        name = server.create_database("unique")
        server.run_script(f"SET NAMES utf8mb4;{script}", name)
        return server.make_url(name)

    return start


def make_case(make, kind: str, name: str) -> str:
    table, rows, _ = CASES[kind][name]
    return make(kind, f"CREATE TABLE t ({table}); INSERT INTO t VALUES {rows};")


@pytest.mark.parametrize(("kind", "name"), LISTED)
def test_what_becomes_the_same_is_told(kind: str, name: str, make, tmp_path: Path) -> None:
    url = make_case(make, kind, name)
    expected = CASES[kind][name][2]
    moving = start_moving(url, tmp_path, settings_of(name), accepted=LOSSES)
    found = [i for i in moving.judgement.issues if i.rule == "SCHEMA-UNIQUE-BROKEN"]
    assert {i.level for i in found} <= {Level.ERROR}
    assert len(found) == len(expected)
    for issue, (count, example) in zip(found, expected.values(), strict=True):
        assert f"by {count} " in issue.message
        assert f"such as {example}" in issue.message
    moving.copy()  # accepted, the rows move without the rule; else with it
    assert moving.prove()["rows"].status is Status.PASS
    (rows,) = read_target(moving.part, "SELECT count(*) FROM t")
    assert rows == (CASES[kind][name][1].count("("),)
    made = "\n".join(
        s.sql for s in (*moving.judgement.schema.tables, *moving.judgement.schema.after)
    )
    assert ("UNIQUE" in made) is not bool(expected)


@pytest.mark.parametrize(("kind", "name"), [("postgres", "turkish"), ("mysql", "turkish")])
def test_without_the_look_the_load_would_fail(
    kind: str, name: str, make, tmp_path: Path, monkeypatch
) -> None:
    """The fault twin."""
    monkeypatch.setattr(inquiry, "find_broken", lambda *_: {})
    moving = start_moving(make_case(make, kind, name), tmp_path)
    with pytest.raises(OriginError, match=r"UNIQUE constraint failed: t\.v"):
        moving.copy()


KEYS = {
    "postgres": """
CREATE TABLE p (v text COLLATE nocase PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, v text COLLATE nocase REFERENCES p);
CREATE TABLE d (v date PRIMARY KEY);
CREATE TABLE m (id int PRIMARY KEY, v timestamp REFERENCES d);
CREATE TABLE c4 (v char(4) PRIMARY KEY);
CREATE TABLE c8 (id int PRIMARY KEY, v char(8) REFERENCES c4);
INSERT INTO p VALUES ('abc'), ('é'), ('x');
INSERT INTO t VALUES (1, 'ABC'), (2, 'É'), (3, 'x'), (4, NULL);
INSERT INTO d VALUES ('2024-01-01');
INSERT INTO m VALUES (1, '2024-01-01'), (2, NULL);
INSERT INTO c4 VALUES ('a'), ('abcd');
INSERT INTO c8 VALUES (1, 'a'), (2, NULL);
""",
    "mysql": """
CREATE TABLE p (v varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_general_ci, CONSTRAINT t_v_fkey FOREIGN KEY (v) REFERENCES p (v));
CREATE TABLE b (v varchar(9) COLLATE utf8mb4_bin PRIMARY KEY);
CREATE TABLE s (id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_bin, CONSTRAINT s_v_fkey FOREIGN KEY (v) REFERENCES b (v));
INSERT INTO p VALUES ('abc'), ('é'), ('x');
INSERT INTO t VALUES (1, 'ABC'), (2, 'E'), (3, 'x'), (4, NULL);
INSERT INTO b VALUES ('a');
INSERT INTO s VALUES (1, 'a'), (2, 'a ');
""",
}
BROKEN_KEYS = {
    "postgres": {"t.t_v_fkey": "É", "m.m_v_fkey": "2024-01-01 00:00:00", "c8.c8_v_fkey": "a       "},
    "mysql": {"t.t_v_fkey": "E", "s.s_v_fkey": "a "},
}  # fmt: skip


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_parents_that_only_the_server_finds_are_told(kind: str, make, tmp_path: Path) -> None:
    url = make(kind, KEYS[kind])
    moving = start_moving(url, tmp_path, accepted=LOSSES)
    found = {i.name: i.message for i in moving.judgement.issues if i.rule == "SCHEMA-FK-BROKEN"}
    assert set(found) == set(BROKEN_KEYS[kind])
    for name, example in BROKEN_KEYS[kind].items():
        assert f"by 1 rows at the origin, such as {example}" in found[name]
    moving.copy()
    assert {check.status for check in moving.prove().values()} <= {Status.PASS, Status.SKIPPED}


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_without_the_look_parents_would_be_missed_late(
    kind: str, make, tmp_path: Path, monkeypatch
) -> None:
    """The fault twin."""
    monkeypatch.setattr(inquiry, "find_broken", lambda *_: {})
    moving = start_moving(make(kind, KEYS[kind]), tmp_path, accepted=LOSSES)
    moving.copy()
    integrity = moving.prove()["integrity"]
    assert integrity.status is Status.FAIL
    assert integrity.counts["faults"] == len(BROKEN_KEYS[kind])


def test_accents_that_no_longer_count_are_told(make) -> None:
    for kind, name in (("postgres", "accents-keep"), ("mysql", "accents-keep")):
        issues = judge(make_case(make, kind, name)).issues
        (told,) = [i for i in issues if i.rule == "SCHEMA-COLLATION-ASCII"]
        assert "without regard to accents" in told.message
