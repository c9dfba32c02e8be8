"""What goes wrong at the origin: three lines each, transient or not, and the next try works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pymysql
import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.row_spec import RowSpec
from edgelift.sources.mysql import MySqlDatabase, connection, open_mysql
from edgelift.sources.mysql.chunks import build_select
from edgelift.sources.origin_database import Choices, Chunk, SnapshotReader
from tests.contract.mysql.certificates import make_certificates
from tests.contract.mysql.test_snapshot import ROWS, TABLE, add_up, get_spec
from tests.servers.mariadb import MariaDb

ALL = Chunk(index=0)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PAUSES_S", (0.0, 0.0))


@contextmanager
def fails(kind: type[OriginError], *words: str) -> Iterator[None]:
    with pytest.raises(OriginError) as caught:
        yield
    error = caught.value
    assert type(error) is kind
    lines = error.lines()
    assert len(lines) == 3
    assert all(line.strip() for line in lines)
    for word in words:
        assert word in "\n".join(lines), lines


def open_url(url: str) -> None:
    with open_mysql(url) as database:
        database.read_schema()


def test_a_server_that_is_down(new_mariadb: Callable[..., MariaDb]) -> None:
    server = new_mariadb()
    server.stop()
    with fails(OriginUnavailable, f"127.0.0.1:{server.port} does not answer"):
        open_url(server.url)
    server.start()
    open_url(server.url)


def test_a_server_that_comes_up_is_waited_for(
    new_mariadb: Callable[..., MariaDb], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_mariadb()
    server.kill()
    pauses = []

    def start_instead_of_waiting(seconds: float) -> None:
        pauses.append(seconds)
        server.start()

    monkeypatch.setattr(connection, "PAUSES_S", (0.25, 1.0))
    monkeypatch.setattr(connection, "time", SimpleNamespace(sleep=start_instead_of_waiting))
    open_url(server.url)
    assert pauses == [0.25]


def test_a_server_that_falls_in_the_middle(new_mariadb: Callable[..., MariaDb]) -> None:
    server = new_mariadb({"innodb-flush-log-at-trx-commit": "1"})
    server.run_script(TABLE + ROWS)
    with open_mysql(server.url) as database:
        spec = get_spec(database)
        reader = database.open_snapshot()
        stream = reader.stream_chunk(spec, ALL)
        next(stream)
        server.kill()
        with fails(OriginUnavailable, "app.t", "was cut"):
            list(stream)
        with fails(OriginUnavailable):
            reader.read_facts(spec)
        server.start()
        with fails(OriginUnavailable):  # the moment is gone, whatever the server does
            add_up(reader, spec)
        reader.close()
    with open_mysql(server.url) as database:
        again = database.open_snapshot()
        assert add_up(again, spec) == (20000, 0)
        again.close()


@pytest.fixture
def reading(
    mariadb_server: MariaDb, make_database: Callable[[str], str]
) -> Iterator[tuple[MySqlDatabase, SnapshotReader, int]]:
    """A database of 20,000 rows, a snapshot of it, and the thread id of its session."""
    name = make_database(TABLE + ROWS)
    with open_mysql(mariadb_server.make_url(name)) as database:
        reader = database.open_snapshot()
        yield database, reader, reader._session.thread  # type: ignore[attr-defined]
        reader.close()


def enlarge(spec: RowSpec) -> RowSpec:
    """Return the spec with rows of 4 kB, 80 MB in all: more than the sockets' buffers take."""
    fields = tuple(
        msgspec.structs.replace(f, read=f"REPEAT({f.read}, 20)") if f.op == "text" else f
        for f in spec.fields
    )
    return msgspec.structs.replace(spec, fields=fields)


def test_a_connection_that_is_cut(
    reading: tuple[MySqlDatabase, SnapshotReader, int], mariadb_server: MariaDb
) -> None:
    database, reader, thread = reading
    spec = get_spec(database)
    stream = reader.stream_chunk(enlarge(spec), ALL)
    next(stream)
    mariadb_server.execute(f"KILL {thread}")
    with fails(OriginUnavailable, "was cut"):
        list(stream)


def test_a_statement_that_is_ended(
    reading: tuple[MySqlDatabase, SnapshotReader, int], mariadb_server: MariaDb
) -> None:
    """The rows so far must not pass for the whole."""
    database, reader, thread = reading
    spec = get_spec(database)
    stream = reader.stream_chunk(enlarge(spec), ALL)
    next(stream)
    mariadb_server.execute(f"KILL QUERY {thread}")
    with fails(OriginUnavailable, "ended a statement", "interrupted"):
        list(stream)
    assert add_up(reader, spec) == (20000, 0)  # the moment lives on


def test_an_error_of_one_row_in_the_middle(
    mariadb_server: MariaDb, make_database: Callable[[str], str]
) -> None:
    name = make_database("CREATE TABLE t (id INT); INSERT INTO t SELECT seq FROM seq_1_to_5000")
    session = connection.MySqlSession(connection_place(mariadb_server, name))
    with fails(OriginError, "table x", "out of range"):
        list(session.stream_rows("SELECT id, EXP(IF(id > 4000, 9999, 1)) FROM t", "table x"))
    assert session.read_value("SELECT 1") == 1
    session.close()


def connection_place(server: MariaDb, name: str) -> object:
    from edgelift.sources.mysql.url import read_place

    return read_place(server.make_url(name))


def test_passwords_and_rights(mariadb_server: MariaDb, make_database: Callable[[str], str]) -> None:
    name = make_database(TABLE)
    word = "p@ss/wö:rd%?#"
    mariadb_server.execute("CREATE OR REPLACE USER guest@'%%' IDENTIFIED BY %s", word)
    with fails(OriginError, "refuses the user guest", "1045"):
        open_url(mariadb_server.make_url(name, "guest", "wrong"))
    with fails(OriginError, "lacks a right", "GRANT SELECT"):
        open_url(mariadb_server.make_url(name, "guest", word))
    mariadb_server.execute(f"GRANT INSERT ON `{name}`.t TO guest@'%'")
    with open_mysql(mariadb_server.make_url(name, "guest", word)) as database:
        spec = get_spec(database)
        reader = database.open_snapshot()
        with fails(OriginError, "lacks a right", "SELECT command denied"):
            reader.read_facts(spec)
        with fails(OriginError, "table", "SELECT command denied"):
            add_up(reader, spec)
        reader.close()
    mariadb_server.execute(f"GRANT SELECT ON `{name}`.* TO guest@'%'")
    open_url(mariadb_server.make_url(name, "guest", word))


def test_a_database_that_is_not_there(mariadb_server: MariaDb) -> None:
    with fails(OriginError, "There is no database nowhere", "SHOW DATABASES"):
        open_url(mariadb_server.make_url("nowhere"))


def test_a_password_is_never_shown(mariadb_server: MariaDb) -> None:
    from edgelift.sources.mysql.url import read_place

    place = read_place(mariadb_server.make_url("app", "someone", "s3cret"))
    assert "s3cret" not in f"{place!r} {place}"
    with pytest.raises(OriginError) as caught:
        open_url(mariadb_server.make_url("app", "someone", "s3cret"))
    assert "s3cret" not in str(caught.value)


def test_too_many_connections(mariadb_server: MariaDb, make_database: Callable[[str], str]) -> None:
    name = make_database(TABLE)
    mariadb_server.execute("CREATE OR REPLACE USER few@'%' WITH MAX_USER_CONNECTIONS 1")
    mariadb_server.execute(f"GRANT SELECT ON `{name}`.* TO few@'%'")
    url = mariadb_server.make_url(name, "few")
    with (
        open_mysql(url) as database,
        fails(OriginUnavailable, "takes no further connection"),
    ):
        database.open_snapshot()
    with open_mysql(url) as database:
        database.read_schema()


def test_every_slot_taken(new_mariadb: Callable[..., MariaDb]) -> None:
    server = new_mariadb({"max-connections": "10"})
    server.execute("CREATE USER plain@'%'")
    server.execute("GRANT SELECT ON app.* TO plain@'%'")
    taken = [server.connect("app", user="plain") for _ in range(10)]
    with fails(OriginUnavailable, "takes no further connection", "max_connections"):
        open_url(server.make_url("app", "plain"))
    taken.pop().close()
    for held in taken:
        held.close()


def test_a_server_that_is_too_old(mariadb_server: MariaDb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.MINIMUM, "mariadb", (99, 1))
    with fails(OriginError, "too old", "10.11", "99.1"):
        open_url(mariadb_server.url)


def test_rows_of_many_packets(new_mariadb: Callable[..., MariaDb]) -> None:
    """A row of 16 MiB and more comes in several packets, whole or not at all."""
    from edgelift.rows.engine import read_rows

    server = new_mariadb({"max-allowed-packet": "128M", "innodb-log-file-size": "256M"})
    size = 2**24 - 1
    sizes = [1, size - 9, size - 8, size - 5, size - 4, size, size + 1, 20 * 2**20, 2]
    server.run_script("CREATE TABLE t (id INT PRIMARY KEY, big LONGTEXT)")
    for number, length in enumerate(sizes):
        server.execute("INSERT INTO t VALUES (%s, REPEAT('x', %s))", number, length, database="app")
    with open_mysql(server.url) as database:
        spec = get_spec(database)
        reader = database.open_snapshot()
        rows = list(read_rows(spec, reader.stream_chunk(spec, ALL)))
        assert [(row[0], len(row[1])) for row in rows] == list(enumerate(sizes))  # type: ignore[arg-type]
        assert reader.read_facts(spec).columns["big"].max_bytes == max(sizes)
        reader.close()


def test_tls(new_mariadb: Callable[..., MariaDb], tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    server = new_mariadb({"ssl-ca": files.ca, "ssl-cert": files.certificate, "ssl-key": files.key})
    server.run_script(TABLE + ROWS)
    server.execute("CREATE USER safe@'%' REQUIRE SSL")
    server.execute("GRANT SELECT ON app.* TO safe@'%'")
    base = server.make_url("app", "safe")
    good = (
        "",
        "?ssl-mode=required",
        f"?ssl_ca={files.ca}",
        f"?ssl-mode=verify-identity&ssl_ca={files.ca}",
    )
    for options in good:
        with open_mysql(base + options) as database:
            cipher = database.session.read_rows("SHOW STATUS LIKE 'Ssl_cipher'")[0][1]
            assert cipher
            reader = database.open_snapshot()
            spec = get_spec(database)
            assert add_up(reader, spec) == (20000, 0)
            stream = reader.stream_chunk(spec, ALL)
            next(stream)
            stream.close()  # type: ignore[attr-defined]
            assert add_up(reader, spec) == (20000, 0)
            reader.close()
    with fails(OriginError, "refuses the user safe"):
        open_url(f"{base}?ssl-mode=disabled")
    with fails(OriginError, "No safe connection", "ssl_ca"):
        open_url(f"{base}?ssl-mode=verify-ca&ssl_ca={files.other_ca}")
    named = base.replace("127.0.0.1", "localhost")  # the certificate names the number only
    with fails(OriginError, "No safe connection"):
        open_url(f"{named}?ssl-mode=verify-identity&ssl_ca={files.ca}")
    with fails(OriginError, "TLS files"):
        open_url(f"{base}?ssl_ca={tmp_path / 'missing.pem'}")


def test_tls_where_there_is_none(mariadb_server: MariaDb) -> None:
    with fails(OriginError, "No safe connection"):
        open_url(f"{mariadb_server.url}?ssl-mode=required")


def test_a_full_tmpdir_is_named(mariadb_server: MariaDb) -> None:
    from edgelift.sources.mysql.errors import to_origin_error
    from edgelift.sources.mysql.url import read_place

    place = read_place(mariadb_server.url)
    for error in (
        pymysql.err.InternalError(
            3, "Error writing file '/tmp/MYfd=41' (Errcode: 28 \"No space left on device\")"
        ),
        pymysql.err.OperationalError(
            1021, "Disk full (/tmp/#sql); waiting for someone to free some space..."
        ),
        pymysql.err.OperationalError(1114, "The table '/tmp/#sql-temptable' is full"),
    ):
        with fails(OriginUnavailable, "disk of the database server", "tmpdir"):
            raise to_origin_error(place, error)


def test_no_sort_on_the_disk_of_the_origin(
    mariadb_server: MariaDb, make_database: Callable[[str], str]
) -> None:
    """The way to a full disk: sorting. Reading by a key that is no primary key does not."""
    name = make_database(
        "CREATE TABLE t (a INT NOT NULL, b VARCHAR(9) NOT NULL, pad LONGTEXT, UNIQUE (b, a));"
        "INSERT INTO t SELECT seq, seq % 7, REPEAT('x', 99) FROM seq_1_to_3000"
    )
    with open_mysql(mariadb_server.make_url(name)) as database:
        spec = database.map_table(database.read_schema().tables[0], Choices())
        reader = database.open_snapshot()
        for chunk in reader.plan_chunks(spec, 700):
            sql = build_select(spec, reader._find_index(spec), chunk.where)  # type: ignore[attr-defined]
            plan = str(reader._session.read_rows(f"EXPLAIN {sql}"))  # type: ignore[attr-defined]
            assert "filesort" not in plan
            assert "temporary" not in plan
        reader.close()
