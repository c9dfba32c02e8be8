"""Scratch copies of both kinds of servers: alike, private, compared cell by cell, gone afterwards."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pymysql
import pytest

from edgelift.errors import OriginError
from edgelift.model.server_url import ServerUrl, parse_server_url
from edgelift.project import DatabaseSection, Project
from edgelift.sources.server_copies import (
    ServerCopies,
    copy_prefix,
    name_copies,
    open_copies,
    open_scratch,
)
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_compare import compare_databases
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PostgresServer

POSTGRES = """
CREATE TYPE mood AS ENUM ('calm', 'glad');
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, mood mood, born date,
    seen timestamptz, tags text[], data jsonb, photo bytea, big bigint, rate float8,
    cost numeric(20, 8), twice integer GENERATED ALWAYS AS (2 * 21) STORED);
INSERT INTO people (name, mood, born, seen, tags, data, photo, big, rate, cost) VALUES
    ('Zoë', 'glad', '2001-02-03', '2026-01-02 03:04:05.678901+02', '{a,"b c"}', '{"k": [1, null]}',
     '\\x00ff', 9007199254740993, 0.1, 12.50000000), ('', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL);
CREATE TABLE notes (person integer REFERENCES people, body text);
INSERT INTO notes VALUES (1, 'b'), (1, 'a'), (1, 'a');
CREATE SCHEMA other; CREATE TABLE other.thing (a int, b int, PRIMARY KEY (b, a));
INSERT INTO other.thing VALUES (1, 2);
CREATE VIEW glad AS SELECT * FROM people WHERE mood = 'glad';
"""
MYSQL = """
CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, name varchar(50) NOT NULL,
    mood enum('calm', 'glad'), born date, seen datetime(6), photo varbinary(10),
    big bigint unsigned, rate double, cost decimal(20, 8), data json,
    size int AS (length(name)) STORED) CHARACTER SET utf8mb4;
INSERT INTO people (name, mood, born, seen, photo, big, rate, cost, data) VALUES
    ('Zoë 🙂', 'glad', '2001-02-03', '2026-01-02 03:04:05.678901', x'00ff', 18446744073709551615,
     0.1, 12.5, '{"k": [1, null]}'), ('', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE notes (person int, body text, FOREIGN KEY (person) REFERENCES people (id));
INSERT INTO notes VALUES (1, 'b'), (1, 'a'), (1, 'a');
CREATE TABLE log (word varchar(20));
CREATE TRIGGER written AFTER INSERT ON notes FOR EACH ROW INSERT INTO log VALUES ('note');
CREATE VIEW gladder AS SELECT * FROM people WHERE mood = 'glad';
CREATE VIEW again AS SELECT name FROM gladder;
"""


class Origin:
    """An origin database, its copies, and how to run a statement in one of them."""

    def __init__(self, folder: Path, url: str, run: Callable[[ServerUrl, str], None]) -> None:
        self.folder = folder
        self.section = DatabaseSection(name="main", url=url, env="DATABASE_URL")
        self.project = Project(folder, None, folder / "edgelift.toml")  # type: ignore[arg-type]
        self.copies: ServerCopies = open_copies(self.section)
        self.prefix = copy_prefix(self.project, self.section)
        self.run = run

    def compare(self, one: str, other: str) -> list[str]:
        """Return the differences of two copies as table.column."""
        files = [self.folder / f"{name}.sqlite" for name in (one, other)]
        for name, file in zip((one, other), files, strict=True):
            self.copies.export(f"{self.prefix}{name}", file)
        with contextlib.closing(sqlite3.connect(files[0])) as db:
            catalogue = read_catalogue(db)
        found = compare_databases(*files, catalogue)
        return [f"{d.table}.{d.column}" for table in found for d in table.differences]


def run_postgres(url: ServerUrl, statement: str) -> None:
    with psycopg.connect(url.reveal(), autocommit=True) as db:
        db.execute(statement)


def run_mysql(url: ServerUrl, statement: str) -> None:
    with (
        pymysql.connect(
            host=url.host, port=url.port, user=url.user, password=url.password,
            database=url.database, autocommit=True, charset="utf8mb4",
        ) as db,
        db.cursor() as cursor,
    ):  # fmt: skip
        cursor.execute(statement)


@pytest.fixture(params=["postgres", "mysql"])
def origin(request: pytest.FixtureRequest, tmp_path: Path) -> Origin:
    if request.param == "postgres":
        return Origin(tmp_path, request.getfixturevalue("make_database")(POSTGRES), run_postgres)
    server: MariaDb = request.getfixturevalue("mariadb_server")
    name = server.create_database("copies", "CHARACTER SET utf8mb4")
    server.run_script(MYSQL, name)
    return Origin(tmp_path, server.make_url(name), run_mysql)


def test_copies_begin_alike_and_are_private(origin: Origin) -> None:
    copies, prefix = origin.copies, origin.prefix
    copies.make_template(f"{prefix}template")
    first, second = (copies.make_copy(f"{prefix}template", f"{prefix}{n}") for n in (1, 2))
    assert origin.compare("1", "2") == []
    assert origin.compare("template", "1") == []
    origin.run(first, "UPDATE people SET name = 'Zoe' WHERE id = 1")
    assert "people.name" in origin.compare("1", "2")
    assert origin.compare("template", "2") == []
    origin.run(second, "UPDATE people SET name = 'Zoe' WHERE id = 1")
    origin.run(second, "INSERT INTO notes VALUES (1, 'a')")
    assert set(origin.compare("1", "2")) - {"log."} != set()
    for name in copies.list_names(prefix):
        copies.drop(name)
    assert copies.list_names(prefix) == []


def test_the_mirror_holds_exact_values(origin: Origin) -> None:
    origin.copies.make_template(f"{origin.prefix}template")
    file = origin.folder / "mirror.sqlite"
    origin.copies.export(f"{origin.prefix}template", file)
    origin.copies.drop(f"{origin.prefix}template")
    with contextlib.closing(sqlite3.connect(file)) as db:
        row = db.execute("SELECT rate, cost, photo, big, born FROM people WHERE id = 1").fetchone()
        assert db.execute("SELECT count(*) FROM notes").fetchone() == (3,)
    assert row[:3] == (0.1, "12.50000000", b"\x00\xff")
    assert int(row[3]) in {9007199254740993, 18446744073709551615}
    assert row[4] == "2001-02-03"


def test_the_next_number_is_the_same_on_all_copies(origin: Origin) -> None:
    copies, prefix = origin.copies, origin.prefix
    copies.make_template(f"{prefix}template")
    for name in ("1", "2"):
        url = copies.make_copy(f"{prefix}template", f"{prefix}{name}")
        origin.run(url, "INSERT INTO people (name) VALUES ('next')")
    assert origin.compare("1", "2") == []
    for name in copies.list_names(prefix):
        copies.drop(name)


def test_a_database_in_use_is_copied_by_its_programs(
    postgres_server: PostgresServer, make_database: Callable[[str], str], tmp_path: Path
) -> None:
    url = make_database(POSTGRES)
    origin = Origin(tmp_path, url, run_postgres)
    with psycopg.connect(url) as other:
        other.execute("SELECT 1")
        origin.copies.make_template(f"{origin.prefix}template")
        origin.copies.make_copy(f"{origin.prefix}template", f"{origin.prefix}1")
    assert origin.compare("template", "1") == []
    for name in origin.copies.list_names(origin.prefix):
        origin.copies.drop(name)


@pytest.mark.parametrize("part", [{"password": "wrong"}, {"port": 9}])
def test_a_server_that_cannot_be_used_says_so(
    origin: Origin, monkeypatch: pytest.MonkeyPatch, part: dict[str, str | int]
) -> None:
    url = parse_server_url(origin.section.url)
    assert url is not None
    section = DatabaseSection(name="main", url=url.with_parts(**part), env="X")
    if "password" in part and url.engine == "mysql":
        section = DatabaseSection(name="main", url=url.with_parts(user="nobody", **part), env="X")
    with pytest.raises(OriginError, match="cannot be used") as raised:
        open_copies(section).list_names("x")
    assert "wrong" not in str(raised.value)


def test_a_scratch_copy_is_dropped_with_its_block_and_a_killed_run_s_before_it(
    origin: Origin,
) -> None:
    prefix = copy_prefix(origin.project, origin.section, "plan")
    origin.copies.make_template(f"{prefix}left")
    with open_scratch(origin.project, {"main": origin.section}, "plan") as urls:
        assert set(origin.copies.list_names(prefix)) == {f"{prefix}template", f"{prefix}copy"}
        origin.run(urls["main"], "DELETE FROM notes")
        assert "DATABASE_URL" in name_copies({"main": origin.section}, urls)
        assert urls["main"].database in name_copies({"main": origin.section}, urls)["DATABASE_URL"]
    assert origin.copies.list_names(prefix) == []
    with (
        pytest.raises(KeyboardInterrupt),
        open_scratch(origin.project, {"main": origin.section}, "plan"),
    ):
        raise KeyboardInterrupt
    assert origin.copies.list_names(prefix) == []


def test_an_app_that_no_variable_leads_to_its_copy_is_told(origin: Origin) -> None:
    own = origin.section.url
    section, copy = DatabaseSection(name="main", url=own), parse_server_url(own, {})
    assert copy is not None
    with pytest.raises(OriginError, match="cannot be run on a copy") as raised:
        name_copies({"main": section}, {"main": copy})
    assert "databases.env" in raised.value.tip


def test_a_database_that_is_too_large_is_not_copied(origin: Origin) -> None:
    size = origin.copies.measure()
    assert 10_000 < size < 100_000_000
    sections = {"main": origin.section}
    with (
        pytest.raises(OriginError, match="No scratch copy of main") as raised,
        open_scratch(origin.project, sections, "plan", most_bytes=size - 1),
    ):
        raise AssertionError
    assert f"{size:,} bytes" in raised.value.why
    assert origin.copies.list_names(copy_prefix(origin.project, origin.section, "plan")) == []
    with open_scratch(origin.project, sections, "plan", most_bytes=size * 2) as urls:
        assert set(urls) == {"main"}
