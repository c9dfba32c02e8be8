"""Chosen forms on real rows: keys that became UUIDs stay references, and can be turned back."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from pathlib import Path

import psycopg
import pytest

from edgelift.model.findings import Status
from edgelift.model.mover_settings import CastSection, RewriteSection, SchemaSection
from edgelift.rows.ops import read_settings
from tests.contract.mover.moving import judge, read_plainly, read_target, start_moving

NAMESPACE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
SCRIPTS = {
    "postgres": """
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE posts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author bigint REFERENCES users, at timestamp);
INSERT INTO users (name) SELECT 'user ' || n FROM generate_series(1, 700) n;
INSERT INTO posts (author, at) SELECT NULLIF(n % 701, 0), TIMESTAMP '2024-01-01' + n * INTERVAL '1 s' FROM generate_series(1, 2100) n;
""",
    "mysql": """
CREATE TABLE users (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(30));
CREATE TABLE posts (id bigint AUTO_INCREMENT PRIMARY KEY, author bigint, at datetime, FOREIGN KEY (author) REFERENCES users (id));
INSERT INTO users (name) SELECT concat('user ', seq) FROM seq_1_to_700;
INSERT INTO posts (author, at) SELECT nullif(seq % 701, 0), '2024-01-01' + INTERVAL seq SECOND FROM seq_1_to_2100;
""",
}


@pytest.fixture(params=["postgres", "mysql"])
def url(request) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("make_database")(SCRIPTS["postgres"])
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("choices")
    server.run_script(SCRIPTS["mysql"], name)
    return server.make_url(name)


def settings(to: str, **more) -> SchemaSection:
    return SchemaSection(
        rewrite=(
            RewriteSection(table="users", to=to, namespace=NAMESPACE, **more),
            RewriteSection(table="posts", column="at", to="unix"),
        )
    )


def read_moment(value: dt.datetime) -> int:
    return int(value.replace(tzinfo=dt.UTC).timestamp())


@pytest.mark.parametrize("to", ["uuid5", "uuid7"])
def test_keys_become_uuids_and_can_be_turned_back(url: str, to: str, tmp_path: Path) -> None:
    base = 1_700_000_000_000 if to == "uuid7" else 0
    moving = start_moving(url, tmp_path, settings(to, base_ms=base))
    moving.copy()
    assert {c.status for c in moving.prove(sample=1.0).values()} <= {Status.PASS, Status.SKIPPED}

    users = dict(read_target(moving.part, "SELECT id, name FROM users"))
    field = next(f for m in moving.plan.tables for f in m.spec.fields if f.op == to)
    namespace = uuid.UUID(read_settings(to, field.argument)["namespace"])
    joined = read_target(
        moving.part, "SELECT p.id, u.name, p.at FROM posts p LEFT JOIN users u ON u.id = p.author"
    )
    there = read_plainly(
        url, "SELECT p.id, u.name FROM posts p LEFT JOIN users u ON u.id = p.author"
    )
    assert [row[:2] for row in joined] == there
    assert len(users) == 700
    for key, name in users.items():
        number = int(name.split()[1])
        found = uuid.UUID(key)
        if to == "uuid5":
            assert found == uuid.uuid5(namespace, str(number))
        else:
            milliseconds, low = found.int >> 80, (found.int >> 64) & 0xFFF
            assert ((milliseconds - base) << 12) + low == number
            digest = hashlib.sha1(namespace.bytes + str(number).encode()).digest()
            assert found.int & ((1 << 62) - 1) == int.from_bytes(digest[:8], "big") >> 2
    start = int(dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp())
    assert sorted(row[2] for row in joined) == [start + n for n in range(1, 2101)]


def test_a_generated_column_that_computes_otherwise_is_named(make_database, tmp_path: Path) -> None:
    url = make_database(
        "CREATE TABLE t (id integer PRIMARY KEY, name text,"
        " loud text GENERATED ALWAYS AS (upper(name)) STORED);"
        "INSERT INTO t VALUES (1, 'abc')"
    )
    moving = start_moving(url, tmp_path)
    with psycopg.connect(url, autocommit=True) as db:  # behind the look at the data
        db.execute("INSERT INTO t VALUES (2, 'äbc')")
    moving.copy()
    check = moving.prove()["computed"]
    assert check.status is Status.FAIL
    assert "as = 'stored'" in check.evidence
    assert check.detail == ("t [id=2].loud: origin 'ÄBC', target 'äBC' (letter case)",)

    (tmp_path / "again").mkdir()
    stored = SchemaSection(cast=(CastSection(to="stored", table="t", column="loud"),))
    again = start_moving(url, tmp_path / "again", stored)
    again.copy()
    checks = again.prove()
    assert "computed" not in checks
    assert checks["rows"].status is Status.PASS
    assert read_target(again.part, "SELECT * FROM t") == read_plainly(url, "SELECT * FROM t")


def test_the_counter_goes_on_where_the_origin_stood(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path)
    moving.copy()
    found = dict(read_target(moving.part, "SELECT name, seq FROM sqlite_sequence"))
    # MariaDB reserves numbers in powers of two for INSERT ... SELECT, and goes on behind them.
    reserved = {"users": 1023, "posts": 4095}
    assert found == ({"users": 700, "posts": 2100} if url.startswith("postgres") else reserved)


def test_decimals_beyond_a_double_are_refused_cast_or_accepted(
    make_database, tmp_path: Path
) -> None:
    url = make_database(
        "CREATE TABLE t (id integer PRIMARY KEY, n numeric);"
        "INSERT INTO t VALUES (1, 1234567890123456.789), (2, 0.1)"
    )
    assert "SCHEMA-DECIMAL-DIGITS" in {issue.rule for issue in judge(url).issues}
    accepted = start_moving(url, tmp_path, accepted={"SCHEMA-DECIMAL-DIGITS"})
    accepted.copy()
    assert read_target(accepted.part, "SELECT * FROM t") == [(1, 1234567890123456.8), (2, 0.1)]
    (tmp_path / "text").mkdir()
    cast = SchemaSection(cast=(CastSection(to="text", table="t", column="n"),))
    exact = start_moving(url, tmp_path / "text", cast)
    exact.copy()
    assert read_target(exact.part, "SELECT n FROM t WHERE id = 1") == [("1234567890123456.789",)]
