"""Following the binary log: its rows are those the server shows, and none is lost or invented."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.origin_schema import OriginTable
from edgelift.rows.engine import read_rows
from edgelift.rows.wires import Buffer, split_mysql
from edgelift.sources.mysql import MySqlDatabase, open_mysql
from edgelift.sources.mysql.binlog_values import Cells
from edgelift.sources.mysql.changes import RowDecoder
from edgelift.sources.mysql.connection import MySqlSession, quote_name
from edgelift.sources.mysql.mapping import map_table
from edgelift.sources.mysql.replication import (
    Begin,
    ChangeStream,
    Commit,
    RowChange,
    Statement,
    check_following,
    read_end,
)
from edgelift.sources.mysql.snapshot import BinlogPosition, decode_position
from edgelift.sources.mysql.url import read_place
from edgelift.sources.origin_database import Cast, Choices, Chunk
from tests.contract.mysql.test_rows import COLUMNS, random_rows
from tests.servers.mariadb import MariaDb

__all__ = ["random_rows"]
Make = Callable[[str], str]
Follow = Callable[..., ChangeStream]


@pytest.fixture
def follow(mariadb_server: MariaDb) -> Iterator[Follow]:
    """Open streams of a database; they are closed after the test."""
    with ExitStack() as stack:

        def start(name: str, position: BinlogPosition | None = None) -> ChangeStream:
            place = read_place(mariadb_server.make_url(name))
            with open_mysql(mariadb_server.make_url(name)) as database:
                tables = database.read_schema().tables
            session = MySqlSession(place)
            stream = ChangeStream(place, tables, position or read_end(session))
            session.close()
            stack.callback(stream.close)
            return stream

        yield start


def read_until(stream: ChangeStream, position: BinlogPosition) -> list[Any]:
    """Return the changes up to a position."""
    changes: list[Any] = []
    while not stream.has_reached(position):
        changes += stream.read(0.0)
    return changes


def get_end(server: MariaDb, name: str) -> BinlogPosition:
    session = MySqlSession(read_place(server.make_url(name)))
    try:
        return read_end(session)
    finally:
        session.close()


def get_table(server: MariaDb, name: str, table: str = "t") -> OriginTable:
    with open_mysql(server.make_url(name)) as database:
        found = database.read_schema().read_table(name, table)
    assert found
    return found


def read_shown(server: MariaDb, name: str, table: OriginTable) -> list[list[Any]]:
    """Return the rows as the server shows them to the copy."""
    session = MySqlSession(read_place(server.make_url(name)))
    spec = map_table(table, Choices(), session.version)
    listed = ", ".join(field.read for field in spec.fields)
    stream = session.stream_rows(f"SELECT {listed} FROM {quote_name(table.name)} ORDER BY id")
    rows = [list(row) for row in split_mysql(Buffer(stream), len(spec.fields))]
    session.close()
    return rows


def as_shown(table: OriginTable, cells: Cells) -> list[Any]:
    """Return a row of the log in the form of the copy: a zero-filled number shows its zeros."""
    row: list[Any] = list(cells)
    for place, column in enumerate(table.columns):
        if "zerofill" in column.type.written and row[place] is not None:
            row[place] = row[place].rjust(column.type.arguments[0], b"0")
    return row


def check_same(shown: list[list[Any]], logged: list[list[Any]], table: OriginTable) -> None:
    assert len(shown) == len(logged)
    for want, found in zip(shown, logged, strict=True):
        for column, left, right in zip(table.columns, want, found, strict=True):
            if column.type.name in {"float", "double"} and left is not None:
                assert float(left) == float(right), column.name
            else:
                assert left == right, column.name


def test_rows_are_those_that_the_server_shows(
    random_rows: tuple[str, list[Any]], mariadb_server: MariaDb, follow: Follow
) -> None:
    name, _ = random_rows
    mariadb_server.execute("CREATE TABLE u LIKE t", database=name)
    stream = follow(name)
    mariadb_server.execute("INSERT INTO u SELECT * FROM t ORDER BY id", database=name)
    changes = read_until(stream, get_end(mariadb_server, name))
    table = get_table(mariadb_server, name, "u")
    rows = [change for change in changes if isinstance(change, RowChange)]
    assert len(rows) == 301
    assert {(row.schema, row.table, row.old) for row in rows} == {(name, "u", None)}
    logged = [as_shown(table, row.new) for row in rows if row.new]
    check_same(read_shown(mariadb_server, name, table), logged, table)
    assert len(COLUMNS) + 1 == len(table.columns)
    assert isinstance(changes[0], Begin)
    assert isinstance(changes[-1], Commit)


def test_wild_values(make_database: Make, mariadb_server: MariaDb, follow: Follow) -> None:
    columns = (
        "id INT PRIMARY KEY, d DATE, t TIME(3), t0 TIME, t6 TIME(6), dt DATETIME(6), ts TIMESTAMP(2) NULL,"
        " bu BIGINT UNSIGNED, tu TINYINT UNSIGNED, mu MEDIUMINT UNSIGNED, m MEDIUMINT, f FLOAT(7,3),"
        " dd DOUBLE(12,4), w DECIMAL(65,30), d0 DECIMAL(9,0), d9 DECIMAL(9,9), b1 BIT(1), b9 BIT(9),"
        " g GEOMETRY, c300 CHAR(255) CHARACTER SET utf8mb4, bin BINARY(3), e ENUM('x','y'),"
        " s SET('a','b','c','d','e','f','g','h','i'), u UUID, i4 INET4, i6 INET6, cz VARCHAR(9)"
        " CHARACTER SET ucs2, st DECIMAL(8,2) AS (id * 1.5) STORED, vi INT AS (id + 1) VIRTUAL, hid INT INVISIBLE DEFAULT 4"
    )
    name = make_database(f"CREATE TABLE t ({columns}) CHARACTER SET utf8mb4")
    stream = follow(name)
    mariadb_server.run_script(
        "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+05:30';"
        "INSERT INTO t VALUES (1, '0000-00-00', '-838:59:59.999', '-00:00:01', '-00:00:00.000001', '0000-05-05 01:02:03.000009',"
        " '0000-00-00 00:00:00', 18446744073709551615, 255, 16777215, -8388608, -1234.567, -0.0001,"
        " -12345678901234567890123456789012345.000000000000000000000000000001, -999999999, -0.123456789, b'1', b'100000001',"
        " ST_GeomFromText('POINT(1 2)', 4326), REPEAT('ü', 255), 'a', 'y', 'a,i', '01234567-89ab-1def-8123-456789abcdef', '1.2.3.4', '::1.2.3.4', 'é', DEFAULT, DEFAULT),"
        "(2, '2024-02-31', '12:00:00.5', '838:59:59', '838:59:59', '2024-00-00', '2038-01-19 03:14:07.99', 0, 0, 0, 8388607, 0.0005, 0,"
        " 0.5, 0, 0, 0, 0, NULL, '', '', 2, '', '01234567-89ab-7def-8123-456789abcdef', '0.0.0.0', '::', '', DEFAULT, DEFAULT),"
        "(3, NULL, '-00:00:00.001', '-100:00:00', NULL, NULL, '1970-01-01 05:30:01.01', NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL,"
        " NULL, NULL, NULL, NULL, NULL, 'nonsense', NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff', NULL, '1:0:0:2:0:0:0:3', NULL, DEFAULT, DEFAULT),"
        "(4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
        " NULL, NULL, NULL, 'x ', NULL, NULL, 'i', '00000000-0000-0000-0000-000000000000', NULL, 'fe80::1:0:0:1', NULL, DEFAULT, DEFAULT),"
        "(5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
        " NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01234567-89ab-6def-0123-456789abcdef', NULL, '::ffff:0:1', NULL, DEFAULT, DEFAULT),"
        "(6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
        " NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01234567-89ab-4def-c123-456789abcdef', NULL, '0:0:0:0:0:0:1:2', NULL, DEFAULT, DEFAULT);",
        name,
    )
    changes = read_until(stream, get_end(mariadb_server, name))
    table = get_table(mariadb_server, name)
    logged = [as_shown(table, c.new) for c in changes if isinstance(c, RowChange) and c.new]
    check_same(read_shown(mariadb_server, name, table), logged, table)


# How a change is applied: only the new row when the old one is not there (it was applied before).
Applied = dict[tuple[Any, ...], dict[str, Any]]


def apply(changes: list[Any], decoders: dict[str, RowDecoder], state: dict[str, Applied]) -> None:
    """Apply row changes one by one, as often as they come, with the same result."""
    for change in changes:
        decoder, rows = decoders[change.table], state[change.table]

        def name(cells: Cells, decoder: RowDecoder = decoder) -> tuple[Any, ...]:
            return tuple(decoder.decode([cells], key_only=True)[0].values())

        if change.old is not None:
            rows.pop(name(change.old), None)
        if change.new is not None:
            rows[name(change.new)] = decoder.decode([change.new])[0]


def copy_rows(database: MySqlDatabase, tables: dict[str, OriginTable]) -> tuple[Any, ...]:
    """Return state and position of a snapshot, and a decoder per table."""
    reader = database.open_snapshot()
    state: dict[str, Applied] = {}
    decoders = {}
    for name, table in tables.items():
        spec = database.map_table(table, Choices())
        decoders[name] = RowDecoder(database.session, table, spec)
        columns = [field.column for field in spec.fields]
        rows = read_rows(spec, reader.stream_chunk(spec, Chunk(index=0)))
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        state[name] = {tuple(row[c] for c in decoders[name].key): row for row in named}
    position = decode_position(reader.position)
    reader.close()
    return state, position, decoders


def write_much(server: MariaDb, name: str, seed: int, enough: threading.Event) -> None:
    """Insert, update, delete, move keys and roll back, until told that it is enough."""
    rng = random.Random(seed)
    with server.connect(name, autocommit=False) as connection, connection.cursor() as cursor:
        base = seed * 100_000
        upcoming = base
        while not enough.is_set():
            for _ in range(rng.randint(1, 6)):
                kind = rng.random()
                known = rng.randint(base, max(base, upcoming))
                if kind < 0.5:
                    upcoming += 1
                    cursor.execute(
                        "INSERT INTO t (id, name, body, price) VALUES (%s, %s, %s, %s)",
                        (upcoming, f"n{upcoming} ü", rng.randbytes(rng.randrange(3000)), "1.50"),
                    )
                elif kind < 0.75:
                    cursor.execute("UPDATE t SET price = price + 1 WHERE id = %s", (known,))
                elif kind < 0.85:
                    moved = base + 50_000 + rng.randrange(40_000)
                    cursor.execute("UPDATE IGNORE t SET id = %s WHERE id = %s", (moved, known))
                else:
                    cursor.execute("DELETE FROM t WHERE id = %s", (known,))
            connection.rollback() if rng.random() < 0.15 else connection.commit()


TABLE = (
    "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40) CHARACTER SET latin1, body BLOB,"
    " price DECIMAL(10,2), at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE"
    " CURRENT_TIMESTAMP(6), f FLOAT DEFAULT 0.1, e ENUM('a','b') DEFAULT 'b');"
)


@pytest.mark.parametrize("cuts", [0, 4])
def test_changes_during_the_copy_are_not_lost(
    cuts: int, make_database: Make, mariadb_server: MariaDb, follow: Follow, open_database: Any
) -> None:
    name = make_database(TABLE + "INSERT INTO t (id, name) SELECT seq, 'old' FROM seq_1_to_500")
    database = open_database(name)
    tables = {"t": get_table(mariadb_server, name)}
    enough = threading.Event()
    writers = [
        threading.Thread(target=write_much, args=(mariadb_server, name, seed, enough))
        for seed in (1, 2)
    ]
    for writer in writers:
        writer.start()
    try:
        state, position, decoders = copy_rows(database, tables)
        rng = random.Random(cuts)
        stream = follow(name, position)
        for _ in range(cuts):
            position = follow_some(stream, position, decoders, state, rng)
            stream = follow(name, position)
        while len(state["t"]) < 900:
            position = take_transaction(stream, position, decoders, state)
    finally:
        enough.set()
        for writer in writers:
            writer.join()
    end = get_end(mariadb_server, name)
    while not stream.has_reached(end):
        rows: list[Any] = []
        for change in stream.read(0.0):
            if isinstance(change, RowChange):
                rows.append(change)
            elif isinstance(change, Commit):
                apply(rows, decoders, state)
                rows = []
        assert rows == []
    wanted, _, _ = copy_rows(database, tables)
    assert state == wanted
    assert len(state["t"]) > 600


def take_transaction(
    stream: ChangeStream, position: BinlogPosition, decoders: Any, state: Any
) -> BinlogPosition:
    """Apply one transaction and return the position behind it."""
    rows: list[Any] = []
    while True:
        for change in stream.read(0.0):
            if isinstance(change, RowChange):
                rows.append(change)
            if isinstance(change, Commit):
                apply(rows, decoders, state)
                return change.position


def follow_some(
    stream: ChangeStream, position: BinlogPosition, decoders: Any, state: Any, rng: random.Random
) -> BinlogPosition:
    """Apply some transactions, then fall: one whose position is lost, and a part of the next."""
    for _ in range(rng.randint(1, 30)):
        position = take_transaction(stream, position, decoders, state)
    take_transaction(stream, position, decoders, state)
    part = next(change for change in stream.read(0.0) if isinstance(change, RowChange))
    apply([part], decoders, state)
    stream.close()
    return position


def test_key_changes_and_rollbacks(
    make_database: Make, mariadb_server: MariaDb, follow: Follow
) -> None:
    name = make_database("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)")
    stream = follow(name)
    mariadb_server.run_script(
        "UPDATE t SET id = 9 WHERE id = 1; BEGIN; INSERT INTO t VALUES (2, 2); ROLLBACK;"
        "BEGIN; INSERT INTO t VALUES (3, 3); SAVEPOINT s; INSERT INTO t VALUES (4, 4);"
        "ROLLBACK TO SAVEPOINT s; DELETE FROM t WHERE id = 9; COMMIT;"
        "UPDATE t SET v = v; INSERT INTO t VALUES (5, 5), (6, 6)",
        name,
    )
    changes = read_until(stream, get_end(mariadb_server, name))
    rows = [(c.old, c.new) for c in changes if isinstance(c, RowChange)]
    assert rows == [
        ((b"1", b"1"), (b"9", b"1")),
        (None, (b"3", b"3")),
        ((b"9", b"1"), None),
        (None, (b"5", b"5")),
        (None, (b"6", b"6")),
    ]
    kinds = [type(change).__name__[0] for change in changes]
    assert "".join(kinds) == "BRCBRRCBRRC"
    gtids = [change.gtid for change in changes if isinstance(change, Begin)]
    assert len(set(gtids)) == 3
    commits = [change.position for change in changes if isinstance(change, Commit)]
    assert [position.gtid for position in commits] == gtids
    again = follow(name, commits[0])  # behind the first transaction
    assert read_until(again, get_end(mariadb_server, name)) == changes[3:]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD COLUMN extra INT",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
        "RENAME TABLE t TO u",
        "CREATE TABLE new (id INT)",
        "CREATE INDEX i ON t (v)",
        "SET STATEMENT binlog_format = 'STATEMENT' FOR INSERT INTO t VALUES (7, 7)",
    ],
)
def test_statements_in_the_log_are_told(
    statement: str, make_database: Make, mariadb_server: MariaDb, follow: Follow
) -> None:
    name = make_database("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    stream = follow(name)
    mariadb_server.execute(statement, database=name)
    changes = read_until(stream, get_end(mariadb_server, name))
    told = [change for change in changes if isinstance(change, Statement)]
    assert [change.schema for change in told] == [name]
    assert statement.rpartition(" FOR ")[2].partition(" ")[0] in told[0].text


def test_what_concerns_others_is_passed_over(
    make_database: Make, mariadb_server: MariaDb, follow: Follow
) -> None:
    name, other = make_database("CREATE TABLE t (id INT PRIMARY KEY)"), make_database("SELECT 1")
    stream = follow(name)
    mariadb_server.run_script(
        "CREATE TABLE t (id INT PRIMARY KEY, v JSON); INSERT INTO t VALUES (1, '{}');"
        "ALTER TABLE t ADD COLUMN w INT; DROP TABLE t; CREATE OR REPLACE USER someone@'%';",
        other,
    )
    mariadb_server.execute("FLUSH BINARY LOGS")
    mariadb_server.execute("INSERT INTO t VALUES (5)", database=name)
    end = get_end(mariadb_server, name)
    changes = read_until(stream, end)
    assert [c.new for c in changes if isinstance(c, RowChange)] == [(b"5",)]
    assert [c for c in changes if isinstance(c, Statement)] == []
    assert stream.received.file == end.file  # it went on in the new file


def test_a_table_that_changed_stops(
    make_database: Make, mariadb_server: MariaDb, follow: Follow
) -> None:
    for change in ("ADD COLUMN x INT", "MODIFY v BIGINT", "RENAME COLUMN v TO w"):
        name = make_database("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
        stream = follow(name)
        mariadb_server.execute(f"ALTER TABLE t {change}", database=name)
        mariadb_server.execute("INSERT INTO t (id) VALUES (1)", database=name)
        with pytest.raises(OriginError, match="changed while it was followed"):
            read_until(stream, get_end(mariadb_server, name))


def test_parts_of_rows_stop(make_database: Make, mariadb_server: MariaDb, follow: Follow) -> None:
    name = make_database(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT); INSERT INTO t VALUES (1, 1, 1)"
    )
    stream = follow(name)
    with mariadb_server.connect(name) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION binlog_row_image = MINIMAL")
        cursor.execute("UPDATE t SET v = 2")
    with pytest.raises(OriginError, match="parts of rows"):
        read_until(stream, get_end(mariadb_server, name))


def test_compressed_and_unchecked_events(new_mariadb: Callable[..., MariaDb]) -> None:
    server = new_mariadb({"log-bin-compress": "ON", "binlog-checksum": "NONE"})
    server.run_script("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)")
    place = read_place(server.url)
    session = MySqlSession(place)
    stream = ChangeStream(place, [get_table(server, "app")], read_end(session))
    text = "abc" * 10_000
    server.execute("INSERT INTO t VALUES (1, %s)", text, database="app")
    server.execute("UPDATE t SET v = 'x'", database="app")
    server.execute("SET GLOBAL binlog_checksum = CRC32")
    server.execute("DELETE FROM t", database="app")
    changes = read_until(stream, read_end(session))
    rows = [(c.old, c.new) for c in changes if isinstance(c, RowChange)]
    assert rows == [
        (None, (b"1", text.encode())),
        ((b"1", text.encode()), (b"1", b"x")),
        ((b"1", b"x"), None),
    ]
    stream.close()
    session.close()


def test_a_server_that_restarts(new_mariadb: Callable[..., MariaDb]) -> None:
    server = new_mariadb({"innodb-flush-log-at-trx-commit": "1", "sync-binlog": "1"})
    server.run_script("CREATE TABLE t (id INT PRIMARY KEY)")
    place = read_place(server.url)
    tables = [get_table(server, "app")]
    session = MySqlSession(place)
    stream = ChangeStream(place, tables, read_end(session))
    server.execute("INSERT INTO t VALUES (1)", database="app")
    commit = next(c for c in read_until(stream, read_end(session)) if isinstance(c, Commit))
    server.kill()
    with pytest.raises(OriginUnavailable):
        list(stream.read(0.0))
    server.start()
    server.execute("INSERT INTO t VALUES (2)", database="app")
    again = ChangeStream(place, tables, commit.position)
    rows = [c.new for c in read_until(again, get_end(server, "app")) if isinstance(c, RowChange)]
    assert rows == [(b"2",)]
    again.close()
    server.execute("FLUSH BINARY LOGS")
    last = server.execute("SHOW MASTER STATUS")[0][0]
    server.execute(f"PURGE BINARY LOGS TO '{last}'")
    late = ChangeStream(place, tables, commit.position)
    with pytest.raises(OriginError, match="log that is needed") as caught:
        list(late.read(0.0))
    assert "copy anew" in caught.value.tip
    late.close()


def test_what_stands_in_the_way(
    make_database: Make, mariadb_server: MariaDb, new_mariadb: Callable[..., MariaDb]
) -> None:
    name = make_database(
        "CREATE TABLE good (id INT PRIMARY KEY, v TEXT CHARACTER SET latin1);"
        "CREATE TABLE keyless (id INT); CREATE TABLE odd (id INT PRIMARY KEY, v TEXT CHARACTER SET sjis);"
        "CREATE TABLE kept (id INT PRIMARY KEY) WITH SYSTEM VERSIONING"
    )
    with open_mysql(mariadb_server.make_url(name)) as database:
        tables = database.read_schema().tables
        found = check_following(database.session, tables)
        assert {(p.table.rpartition(".")[2], p.why) for p in found} == {
            ("keyless", "it has no key"),
            ("odd", "it has texts in sjis"),
            ("kept", "its rows carry the times of their versions"),
        }
        assert database.capabilities.follows
    mariadb_server.execute("CREATE OR REPLACE USER looker@'%'")
    mariadb_server.execute(f"GRANT SELECT ON `{name}`.* TO looker@'%'")
    with open_mysql(mariadb_server.make_url(name, "looker")) as database:
        whys = [p.why for p in check_following(database.session, [])]
        assert any("position" in why for why in whys)
        assert any("binary log" in why for why in whys)
        assert not database.capabilities.follows
    server = new_mariadb({"binlog-format": "MIXED", "binlog-row-image": "MINIMAL"})
    with open_mysql(server.url) as database:
        assert [p.why for p in check_following(database.session, [])] == [
            "binlog_format is MIXED",
            "binlog_row_image is MINIMAL",
        ]


def test_values_through_expressions(
    make_database: Make, mariadb_server: MariaDb, follow: Follow, open_database: Any
) -> None:
    """What the copy reads through an expression comes out the same of the log."""
    name = make_database(
        "CREATE TABLE t (id INT PRIMARY KEY, b BLOB, l VARCHAR(9) CHARACTER SET latin1, s SET('a','b'),"
        " g GEOMETRY, bu BIGINT UNSIGNED, f FLOAT, f2 FLOAT, db DOUBLE, d DATE, u UUID, w DECIMAL(30,3), bits BIT(9)) CHARACTER SET utf8mb4"
    )
    casts = (
        Cast(to="hex", column="b"),
        Cast(to="blob", column="l"),
        Cast(to="json", column="s"),
        Cast(to="text", column="g"),
        Cast(to="null", column="bu"),
        Cast(to="text", column="f"),
        Cast(to="numeric", column="f2"),
        Cast(to="text", column="db"),
        Cast(to="text", column="w"),
        Cast(to="text", column="bits"),
    )
    stream = follow(name)
    mariadb_server.run_script(
        "INSERT INTO t VALUES (1, X'00FF', 'é€', 'a,b', ST_GeomFromText('POINT(1 2)', 7), 18446744073709551615,"
        " 0.1, 1234.5678, 1e-7, '2024-01-01', '01234567-89ab-4def-8123-456789abcdef', 123456789012345678901.5, b'101'),"
        "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
        "(3, '', '', '', ST_GeomFromText('LINESTRING(0 0,1 1)'), 5, -1e30, 0.1, 1e30, '9999-12-31', UUID(), 0, 0)",
        name,
    )
    rows = [
        c.new for c in read_until(stream, get_end(mariadb_server, name)) if isinstance(c, RowChange)
    ]
    database = open_database(name)
    table = get_table(mariadb_server, name)
    spec = database.map_table(table, Choices(casts=casts))
    decoder = RowDecoder(database.session, table, spec)
    reader = database.open_snapshot()
    names = [field.column for field in spec.fields]
    copied = [
        dict(zip(names, row, strict=True))
        for row in read_rows(spec, reader.stream_chunk(spec, Chunk(index=0)))
    ]
    reader.close()
    assert decoder.decode(rows) == copied  # type: ignore[arg-type]
    assert decoder.decode(rows, key_only=True) == [{"id": 1}, {"id": 2}, {"id": 3}]  # type: ignore[arg-type]


def test_members_of_a_binary_table_are_texts_all_the_same(
    mariadb_server: MariaDb, follow: Follow
) -> None:
    name = mariadb_server.create_database("members")
    mariadb_server.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, e ENUM('page', 'file'), s SET('a', 'b'),"
        " v VARCHAR(9)) DEFAULT CHARSET=binary",
        database=name,
    )
    stream = follow(name)
    mariadb_server.execute(
        "INSERT INTO t VALUES (1, 'file', 'a,b', 'x'), (2, NULL, '', 'y'), (3, 'page', 'b', '')",
        database=name,
    )
    changes = read_until(stream, get_end(mariadb_server, name))
    table = get_table(mariadb_server, name)
    logged = [list(c.new) for c in changes if isinstance(c, RowChange) and c.new]
    check_same(read_shown(mariadb_server, name, table), logged, table)
    with open_mysql(mariadb_server.make_url(name)) as database:
        assert check_following(database.session, [table]) == []
