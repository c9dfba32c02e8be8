"""One moment: what others write meanwhile is not seen, nor are they held up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edgelift.errors import OriginError
from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import read_rows
from edgelift.sources.mysql import MySqlDatabase, snapshot
from edgelift.sources.mysql.snapshot import decode_position
from edgelift.sources.origin_database import Choices, Chunk, SnapshotReader
from tests.servers.mariadb import MariaDb

Open = Callable[..., MySqlDatabase]
Make = Callable[[str], str]
ALL = Chunk(index=0)
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, pad VARCHAR(200)) ENGINE=InnoDB;"
ROWS = "INSERT INTO t SELECT seq, 0, REPEAT('x', 200) FROM seq_1_to_20000;"


def get_spec(database: MySqlDatabase, name: str = "t") -> RowSpec:
    schema = database.read_schema()
    table = schema.read_table(schema.database, name)
    assert table
    return database.map_table(table, Choices())


def add_up(reader: SnapshotReader, spec: RowSpec) -> tuple[int, int]:
    rows = list(read_rows(spec, reader.stream_chunk(spec, ALL)))
    return len(rows), sum(row[1] for row in rows)  # type: ignore[misc]


@contextmanager
def keep_writing(server: MariaDb, name: str) -> Iterator[threading.Event]:
    """Commit again and again, from a thread, until the block ends; the event says it began."""
    done, begun = threading.Event(), threading.Event()

    def write() -> None:
        with server.connect(name, autocommit=False) as connection, connection.cursor() as cursor:
            while not done.is_set():
                # The sum of all n stays 0 at every commit.
                cursor.execute("UPDATE t SET n = n + 1 WHERE id = 1")
                cursor.execute("UPDATE t SET n = n - 1 WHERE id = 20")
                connection.commit()
                begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield begun
    finally:
        done.set()
        thread.join()


def test_a_snapshot_sees_one_moment(
    make_database: Make, open_database: Open, mariadb_server: MariaDb
) -> None:
    name = make_database(TABLE + "INSERT INTO t SELECT seq, 0, '' FROM seq_1_to_20")
    database = open_database(name)
    spec = get_spec(database)
    reader = database.open_snapshot()
    mariadb_server.execute("DELETE FROM t WHERE id < 10", database=name)
    mariadb_server.execute("UPDATE t SET n = 1", database=name)
    assert add_up(reader, spec) == (20, 0)
    assert reader.read_facts(spec).rows == 20
    assert sum(chunk.estimate for chunk in reader.plan_chunks(spec, 3)) == 20
    reader.close()
    later = database.open_snapshot()
    assert add_up(later, spec) == (11, 11)
    assert decode_position(later.position).position > decode_position(reader.position).position
    later.close()


@pytest.mark.parametrize("quiet_attempts", [20, 0])
def test_connections_share_a_moment_under_writes(
    quiet_attempts: int,
    make_database: Make,
    open_database: Open,
    mariadb_server: MariaDb,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "_QUIET_ATTEMPTS", quiet_attempts)
    name = make_database(TABLE + "INSERT INTO t SELECT seq, 0, '' FROM seq_1_to_20")
    database = open_database(name)
    spec = get_spec(database)
    with keep_writing(mariadb_server, name) as begun:
        begun.wait()
        first = database.open_snapshot(3)
        others = [database.join_snapshot(first.ticket) for _ in range(2)]
        with pytest.raises(OriginError, match="cannot be joined"):
            database.join_snapshot(first.ticket)
        readers = [first, *others]
        values = [[row[1] for row in read_rows(spec, r.stream_chunk(spec, ALL))] for r in readers]
    assert values[0] == values[1] == values[2]
    assert sum(values[0]) == 0  # type: ignore[arg-type]
    assert decode_position(first.position).gtid
    if not quiet_attempts:
        assert "BACKUP STAGE" in first.method  # type: ignore[attr-defined]
    for reader in readers:
        reader.close()
    mariadb_server.execute("UPDATE t SET n = 5", database=name)  # nothing is locked any more


def test_the_position_is_that_of_the_moment(
    make_database: Make, open_database: Open, mariadb_server: MariaDb
) -> None:
    """What the log holds behind the position is what the snapshot does not see."""
    name = make_database(TABLE + "INSERT INTO t SELECT seq, 0, '' FROM seq_1_to_20")
    database = open_database(name)
    spec = get_spec(database)
    with keep_writing(mariadb_server, name) as begun:
        begun.wait()
        reader = database.open_snapshot()
        seen = next(row[1] for row in read_rows(spec, reader.stream_chunk(spec, ALL)))
    position = decode_position(reader.position)
    log = mariadb_server.execute(
        f"SHOW BINLOG EVENTS IN '{position.file}' FROM {position.position}"
    )
    own = [row for row in log if row[2] == "Update_rows_v1" and "flags: STMT_END_F" in row[5]]
    now = mariadb_server.execute("SELECT n FROM t WHERE id = 1", database=name)[0][0]
    assert len(own) == 2 * (now - seen)  # two statements a transaction
    reader.close()


def test_without_a_right_to_lock_one_connection_is_left(
    make_database: Make,
    open_database: Open,
    mariadb_server: MariaDb,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "_QUIET_ATTEMPTS", 0)
    monkeypatch.setattr(snapshot, "_GROUP_COMMIT_S", 0.0)
    name = make_database(TABLE)
    mariadb_server.execute("CREATE OR REPLACE USER reader@'%'")
    mariadb_server.execute(f"GRANT SELECT ON `{name}`.* TO reader@'%'")
    reader = open_database(name, "reader").open_snapshot(3)
    assert reader.ticket == ""
    assert "no lock" in reader.method  # type: ignore[attr-defined]
    assert reader.position == ""  # SHOW MASTER STATUS takes a right too
    reader.close()


def test_without_a_binary_log(new_mariadb: Callable[..., MariaDb]) -> None:
    from edgelift.sources.mysql import open_mysql

    server = new_mariadb({"skip-log-bin": "1"})
    server.run_script(TABLE + "INSERT INTO t VALUES (1, 0, '')")
    with open_mysql(server.url) as database:
        assert not database.capabilities.follows
        reader = database.open_snapshot()
        assert (reader.position, reader.ticket) == ("", "")
        assert add_up(reader, get_spec(database)) == (1, 0)
        reader.close()
        shared = database.open_snapshot(2)
        assert shared.ticket
        assert shared.position == ""
        shared.close()


def test_a_migration_of_the_origin_need_not_wait(
    make_database: Make, open_database: Open, mariadb_server: MariaDb
) -> None:
    name = make_database(TABLE + ROWS + "CREATE TABLE u LIKE t;")
    database = open_database(name)
    spec, other = get_spec(database), get_spec(database, "u")
    reader = database.open_snapshot()
    add_up(reader, spec)
    stream = reader.stream_chunk(spec, ALL)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    with mariadb_server.connect(name) as connection, connection.cursor() as cursor:
        cursor.execute("SET lock_wait_timeout = 1")
        cursor.execute("ALTER TABLE t MODIFY n BIGINT NOT NULL, ALGORITHM=COPY")
    with pytest.raises(OriginError, match="altered while it was read"):
        add_up(reader, spec)
    assert add_up(reader, other) == (0, 0)
    reader.close()


def test_a_stream_that_is_given_up_leaves_the_moment(
    make_database: Make, open_database: Open, mariadb_server: MariaDb
) -> None:
    name = make_database(TABLE + ROWS)
    database = open_database(name)
    spec = get_spec(database)
    reader = database.open_snapshot()
    mariadb_server.execute("DELETE FROM t", database=name)
    for _ in range(3):
        stream = reader.stream_chunk(spec, ALL)
        assert next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert add_up(reader, spec) == (20000, 0)
    reader.close()


def test_two_streams_at_once_are_refused(make_database: Make, open_database: Open) -> None:
    database = open_database(make_database(TABLE + ROWS))
    spec = get_spec(database)
    reader = database.open_snapshot()
    first = reader.stream_chunk(spec, ALL)
    next(first)
    with pytest.raises(OriginError, match="at once"):
        next(reader.stream_chunk(spec, ALL))
    assert sum(map(len, first)) > 20000 * 200 - 300_000
    reader.close()


def test_nothing_can_be_written_through_a_snapshot(
    make_database: Make, open_database: Open
) -> None:
    database = open_database(make_database(TABLE))
    reader = database.open_snapshot()
    with pytest.raises(OriginError, match="READ ONLY"):
        reader._session.run("INSERT INTO t VALUES (1, 1, '')")  # type: ignore[attr-defined]
    reader.close()
