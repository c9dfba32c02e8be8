"""Oracle's MySQL, where it differs from MariaDB: its catalogue, its clock of changes, its log."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import edgelift
from edgelift.errors import OriginError
from edgelift.model.follow_state import FollowOptions
from edgelift.rows.engine import read_rows
from edgelift.sources.mysql import MySqlDatabase, open_mysql
from edgelift.sources.mysql.snapshot import decode_position
from edgelift.sources.origin_database import Choices
from tests.servers.mysql import MySql

SCHEMA = """
CREATE TABLE people (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY COMMENT 'a key', name VARCHAR(80) NOT NULL DEFAULT 'né',
  mail VARCHAR(120) CHARACTER SET latin1 UNIQUE, born DATE, score DECIMAL(12,4) DEFAULT 1.5,
  flags SET('a','b','c'), kind ENUM('x','y') DEFAULT 'x', seen DATETIME(3), bits BIT(7),
  since YEAR DEFAULT 1999, starts TIME(6), tiny TINYINT, flag TINYINT(1), small SMALLINT UNSIGNED,
  middle MEDIUMINT, big BIGINT, single FLOAT, wide DOUBLE, packed BLOB, fixed BINARY(4) DEFAULT 'ab',
  code CHAR(5), note TEXT, place POINT,
  made TIMESTAMP(2) NOT NULL DEFAULT CURRENT_TIMESTAMP(2) ON UPDATE CURRENT_TIMESTAMP(2),
  KEY by_name (name(10), kind)
) COMMENT='who';
CREATE TABLE posts (id BIGINT AUTO_INCREMENT PRIMARY KEY, person INT UNSIGNED NOT NULL, title TEXT,
  CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE);
CREATE VIEW titles AS SELECT p.title, q.name FROM posts p JOIN people q ON q.id = p.person;
CREATE TRIGGER count_posts BEFORE INSERT ON posts FOR EACH ROW SET NEW.title = TRIM(NEW.title);
INSERT INTO people VALUES
 (1, 'Zoë', 'é@x', '1990-02-28', -12.3450, 'a,c', 'y', '2020-01-02 03:04:05.678', b'101', 2155,
  '23:59:59.000001', -128, 1, 65535, -8388608, -9223372036854775808, 1.5, 0.1, x'00ff27', x'01020304',
  'ab ', 'h\\0ällo', ST_GeomFromText('POINT(1 2)'), '2001-02-03 04:05:06.07'),
 (4294967295, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2001-02-03 04:05:06');
INSERT INTO posts SELECT seq, 1, CONCAT('title ', seq) FROM seq_1_to_3000;
"""
ZOE = (
    1, "Zoë", "é@x", "1990-02-28", -12.345, "a,c", "y", "2020-01-02 03:04:05.678000", 5, 2155,
    "23:59:59.000001", -128, 1, 65535, -8388608, -(2**63), 1.5, 0.1, b"\x00\xff'", b"\x01\x02\x03\x04",
    "ab", "h\0ällo",
)  # fmt: skip


@pytest.fixture(scope="module")
def name(mysql_server: MySql) -> str:
    name = mysql_server.create_database("oracle", "CHARACTER SET utf8mb4")
    with mysql_server.be_strict():
        mysql_server.run_script(SCHEMA, name)
    return name


@pytest.fixture
def database(mysql_server: MySql, name: str) -> Iterator[MySqlDatabase]:
    with open_mysql(mysql_server.make_url(name)) as opened:
        yield opened


def test_the_catalogue_is_whole(database: MySqlDatabase) -> None:
    schema = database.read_schema()
    people, posts = (next(t for t in schema.tables if t.name == n) for n in ("people", "posts"))
    columns = {column.name: column for column in people.columns}
    assert len(columns) == 24
    assert people.comment == "who"
    assert columns["id"].comment == "a key"
    assert columns["id"].identity == "auto_increment"
    defaults = {n: c.default for n, c in columns.items() if c.default is not None}
    assert defaults == {
        "name": "'né'", "score": "1.5000", "kind": "'x'", "since": "1999", "fixed": "X'61620000'",
        "made": "CURRENT_TIMESTAMP(2)",
    }  # fmt: skip
    assert columns["made"].on_update.upper() == "CURRENT_TIMESTAMP(2)"
    assert [key.columns for key in people.keys] == [("id",), ("mail",)]
    assert [(k.columns, k.on_delete) for k in posts.foreign_keys] == [(("person",), "CASCADE")]
    assert [index.name for index in people.indexes] == ["by_name"]
    assert [view.name for view in schema.views] == ["titles"]
    assert [trigger.name for trigger in schema.triggers] == ["count_posts"]


def test_values_arrive_as_they_are(database: MySqlDatabase) -> None:
    table = next(t for t in database.read_schema().tables if t.name == "people")
    spec = database.map_table(table, Choices())
    with closing(database.open_snapshot()) as reader:
        (chunk,) = reader.plan_chunks(spec, 100)
        first, last = read_rows(spec, reader.stream_chunk(spec, chunk))
        facts = reader.read_facts(spec)
    assert first[: len(ZOE)] == ZOE
    assert last[0] == 2**32 - 1
    assert set(last[2:-1]) == {None}
    assert (first[-1], last[-1]) == ("2001-02-03 04:05:06.070000", "2001-02-03 04:05:06.000000")
    assert (facts.rows, facts.columns["note"].nul_texts, facts.columns["big"].min_int) == (
        2,
        1,
        -(2**63),
    )
    assert facts.columns["name"].non_ascii == 1


def test_connections_share_a_moment(
    database: MySqlDatabase, mysql_server: MySql, name: str
) -> None:
    """A writer keeps the sum of two rows; every connection sees one sum and one moment."""
    mysql_server.run_script(
        "CREATE TABLE pair (id INT PRIMARY KEY, n INT); INSERT INTO pair VALUES (1, 0), (2, 0)",
        name,
    )
    stop = threading.Event()

    def write() -> None:
        with (
            mysql_server.connect(name, autocommit=False) as connection,
            connection.cursor() as cursor,
        ):
            while not stop.is_set():
                cursor.execute("UPDATE pair SET n = n + 1 WHERE id = 1")
                cursor.execute("UPDATE pair SET n = n - 1 WHERE id = 2")
                connection.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        table = next(t for t in database.read_schema().tables if t.name == "pair")
        spec = database.map_table(table, Choices())
        with contextlib.ExitStack() as stack:
            readers = [stack.enter_context(closing(database.open_snapshot(3)))]
            readers += [
                stack.enter_context(closing(database.join_snapshot(readers[0].ticket)))
                for _ in range(2)
            ]
            seen = []
            for reader in readers:
                (chunk,) = reader.plan_chunks(spec, 100)
                seen.append(list(read_rows(spec, reader.stream_chunk(spec, chunk))))
            position = decode_position(readers[0].position)
    finally:
        stop.set()
        writer.join()
        mysql_server.execute("DROP TABLE pair", database=name)
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0][1] == -seen[0][1][1]
    assert position.flavor == "mysql"
    assert position.position > 0


def test_writes_are_seen_in_the_activity(
    database: MySqlDatabase, mysql_server: MySql, name: str
) -> None:
    before = database.read_activity()
    mysql_server.execute("INSERT INTO posts (person, title) VALUES (1, 'late')", database=name)
    mysql_server.execute("DELETE FROM posts WHERE title = 'late'", database=name)
    assert database.read_activity() != before


def test_it_is_followed_to_the_last_row(mysql_server: MySql, name: str, tmp_path: Path) -> None:
    """The log marks columns that are none, so tables whose columns do not fill bytes tell it."""
    url, folder = mysql_server.make_url(name), tmp_path / "moved"
    accept = ("SCHEMA-COLLATION-ASCII", "SCHEMA-TYPE-LOSS")
    caught_up = FollowOptions(until_caught_up=True)
    assert not edgelift.follow(url, folder, follow_options=caught_up, accept=accept).failed
    day = dt.date(2024, 2, 29).isoformat()
    for sql in (
        f"UPDATE people SET score = score + 1, born = '{day}', bits = b'1111111', note = 'ü' WHERE id = 1",
        "UPDATE people SET id = 7 WHERE id = 4294967295",
        "INSERT INTO people (name, single, since) VALUES ('new', 0.25, 1901)",
        "DELETE FROM posts WHERE id % 3 = 0",
        "UPDATE posts SET id = id + 10000 WHERE id % 3 = 1",
    ):
        mysql_server.execute(sql, database=name)
    verify = FollowOptions(until_caught_up=True, verify=True)
    assert not edgelift.follow(folder, follow_options=verify).failed
    with closing(sqlite3.connect(folder / ".edgelift/follow/main.sqlite")) as db:
        assert db.execute("SELECT count(*), min(id) FROM posts").fetchone() == (2000, 2)
        assert db.execute("SELECT born, bits, note FROM people WHERE id = 1").fetchall() == [
            (day, 127, "ü")
        ]


def test_a_server_without_a_log_is_told(mysql_server: MySql, name: str, tmp_path: Path) -> None:
    mysql_server.execute("SET GLOBAL binlog_format = 'STATEMENT'")
    try:
        url, accept = mysql_server.make_url(name), ("SCHEMA-COLLATION-ASCII", "SCHEMA-TYPE-LOSS")
        with pytest.raises(OriginError, match="followed"):
            edgelift.follow(url, tmp_path, accept=accept)
    finally:
        mysql_server.execute("SET GLOBAL binlog_format = 'ROW'")
