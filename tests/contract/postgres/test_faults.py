"""What can go wrong at a real PostgreSQL: each a three-line error, and the next try works."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from edgelift.errors import EdgeliftError, OriginError, OriginUnavailable, Transient, UsageError
from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import read_rows
from edgelift.sources.origin_database import Choices
from edgelift.sources.postgres import PostgresDatabase, connection, open_postgres
from edgelift.sources.postgres.errors import SnapshotLost
from edgelift.sources.postgres.snapshot import PostgresSnapshot
from tests.servers.postgres import PASSWORD, PostgresServer, require_postgres, start_postgres

ROWS = 20_000
SCRIPT = f"""
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, {ROWS}) i;
"""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_WAIT_S", 0.001)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that these tests may stop, kill and damage."""
    require_postgres()
    with start_postgres() as own:
        yield own


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    url = server.create_database()
    server.run(SCRIPT, url.rpartition("/")[2])
    yield url
    server.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def explain(error: EdgeliftError) -> str:
    """Return the three lines; no password may stand in them."""
    lines = error.lines()
    assert len(lines) == 3
    assert all(lines)
    assert lines[2].startswith("Tip: ")
    assert PASSWORD not in str(error)
    return "\n".join(lines)


def find_spec(database: PostgresDatabase, name: str = "t") -> RowSpec:
    table = next(t for t in database.read_schema().tables if t.name == name)
    return database.map_table(table, Choices())


def read_t(snapshot: PostgresSnapshot, spec: RowSpec) -> int:
    (chunk,) = snapshot.plan_chunks(spec, 10 * ROWS)
    return sum(1 for _ in read_rows(spec, snapshot.stream_chunk(spec, chunk)))


@pytest.mark.parametrize(
    ("change", "words", "transient"),
    [
        (("very-secret-word", "wrong"), "refuses the password", False),
        (("edgelift:very-secret-word", "nobody:x"), "refuses the password", False),
        (("/postgres", "/missing"), "does not exist", False),
        (("127.0.0.1", "no-such-host.invalid"), "is not known", True),
        (("/postgres", "/postgres?sslmode=require"), "No encrypted connection", False),
        (("/postgres", "/postgres?sslmode=verify-full&sslrootcert=/none"), "No encrypted", False),
        (("/postgres", "/postgres?sslmode=nonsense"), "wrong value", False),
        (("127.0.0.1:", "127.0.0.1:99"), "wrong value", False),
        (("//edgelift:very-secret-word@127.0.0.1", "//[::1"), "cannot be read", False),
        (("/postgres", "/postgres?host=/no/such/folder"), "does not answer", True),
    ],
)
def test_what_is_wrong_in_a_url(
    server: PostgresServer, change: tuple[str, str], words: str, transient: bool
) -> None:
    with (
        pytest.raises((OriginError, UsageError)) as caught,
        open_postgres(server.url.replace(*change)),
    ):
        pass
    assert words in explain(caught.value)
    assert isinstance(caught.value, Transient) is transient


def test_a_server_that_is_down_is_tried_again_and_then_named(server, monkeypatch) -> None:
    tried = []
    original = psycopg.connect
    monkeypatch.setattr(psycopg, "connect", lambda *a, **k: tried.append(1) or original(*a, **k))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with (
            pytest.raises(OriginUnavailable) as caught,
            open_postgres(server.url.replace(str(server.port), str(port))),
        ):
            pass
    assert f"127.0.0.1:{port} does not answer" in explain(caught.value)
    assert len(tried) == connection._TRIES


def test_a_refused_password_is_not_tried_again(server, monkeypatch) -> None:
    tried = []
    original = psycopg.connect
    monkeypatch.setattr(psycopg, "connect", lambda *a, **k: tried.append(1) or original(*a, **k))
    with pytest.raises(OriginError), open_postgres(server.url_of("postgres", password="x")):
        pass
    assert len(tried) == 1


def test_a_server_that_restarts_is_awaited(server, url, monkeypatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_WAIT_S", 0.25)
    server.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: connection.connect(connection.to_address(url)))
        server.start()
        with waiting.result() as found:
            assert found.execute("SELECT count(*) FROM t").fetchone() == (ROWS,)


def test_another_program_on_the_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for _ in range(20):
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(1000)
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        with (
            pytest.raises(OriginError) as caught,
            open_postgres(f"postgresql://a:b@127.0.0.1:{port}/x?sslmode=disable"),
        ):
            pass
        listener.shutdown(socket.SHUT_RDWR)
    assert "does not speak PostgreSQL" in explain(caught.value)
    assert not isinstance(caught.value, Transient)


def test_a_cut_stream_is_transient_and_the_snapshot_lives_on(server, url) -> None:
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = find_spec(database)
        (chunk,) = snapshot.plan_chunks(spec, 10 * ROWS)
        blocks = snapshot.stream_chunk(spec, chunk)
        next(blocks)
        server.run("DELETE FROM t", url.rpartition("/")[2])
        assert server.end_connections("query LIKE 'COPY%'") == 1
        with pytest.raises(OriginUnavailable) as caught:
            list(blocks)
        assert "table public.t" in explain(caught.value)
        assert not isinstance(caught.value, SnapshotLost)
        assert read_t(snapshot, spec) == ROWS


def test_a_stream_that_was_cut_between_two_chunks_is_opened_again(server, url) -> None:
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = find_spec(database)
        first, *others = snapshot.plan_chunks(spec, 5000)
        rows = sum(1 for _ in read_rows(spec, snapshot.stream_chunk(spec, first)))
        for chunk in others:
            assert server.end_connections("query LIKE 'COPY%'") == 1
            rows += sum(1 for _ in read_rows(spec, snapshot.stream_chunk(spec, chunk)))
        assert rows == ROWS


def test_a_lock_that_goes_away_is_waited_for(server, url, monkeypatch) -> None:
    monkeypatch.setitem(connection._SETTINGS, "lock_timeout", "50ms")
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = find_spec(database)
        with server.connect(url.rpartition("/")[2]) as other:
            other.execute("BEGIN; LOCK TABLE t")
            waits = iter([None, other.execute])

            def wait(_seconds: float) -> None:
                if next(waits) is not None:
                    other.execute("ROLLBACK")

            monkeypatch.setattr(connection.time, "sleep", wait)
            assert snapshot.read_facts(spec).rows == ROWS


def test_a_cut_holder_loses_the_snapshot(server, url) -> None:
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = find_spec(database)
        server.end_connections("state = 'idle in transaction'")
        with pytest.raises(SnapshotLost) as caught:
            read_t(snapshot, spec)
        assert "new snapshot" in explain(caught.value)
        with pytest.raises(SnapshotLost):
            snapshot.read_facts(spec)
        with pytest.raises(SnapshotLost) as joined:
            database.join_snapshot(snapshot.ticket)
        assert "is gone" in explain(joined.value)
        # The fault twin: a new one works.
        with closing(database.open_snapshot()) as again:
            assert read_t(again, spec) == ROWS


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_server_that_ends_in_the_middle_of_a_stream(server, url, how: str) -> None:
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = find_spec(database)
        (chunk,) = snapshot.plan_chunks(spec, 10 * ROWS)
        blocks = snapshot.stream_chunk(spec, chunk)
        next(blocks)
        getattr(server, how)()
        with pytest.raises(OriginUnavailable) as caught:
            list(blocks)
        explain(caught.value)
        server.start()
        with pytest.raises(SnapshotLost):
            read_t(snapshot, spec)
        with closing(database.open_snapshot()) as again:
            assert read_t(again, spec) == ROWS
        # The catalogue's connection was cut too, and is made again.
        with pytest.raises(OriginUnavailable):
            database.read_schema()
        assert database.read_schema().tables


def test_no_rights_on_a_table_stop_before_a_byte_moves(server, url) -> None:
    name = url.rpartition("/")[2]
    server.run(
        f"CREATE ROLE {name}_reader LOGIN PASSWORD 'pw'; CREATE SCHEMA s; CREATE TABLE s.u (a int);"
        "CREATE TABLE guarded (a int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
        f"GRANT SELECT ON guarded TO {name}_reader",
        name,
    )
    try:
        with (
            open_postgres(server.url_of(name, f"{name}_reader", "pw")) as database,
            closing(database.open_snapshot()) as snapshot,
        ):
            for table in ("t", "u", "guarded"):
                spec = find_spec(database, table)
                for act in (
                    lambda spec=spec: snapshot.read_facts(spec),
                    lambda spec=spec: read_t(snapshot, spec),
                ):
                    with pytest.raises(OriginError) as caught:
                        act()
                    assert "no right to read" in explain(caught.value)
                    assert table in str(caught.value)
            # A failed table does not end the snapshot.
            server.run(f"GRANT SELECT ON t TO {name}_reader", name)
            assert read_t(snapshot, find_spec(database, "t")) == ROWS
    finally:
        server.run(f"DROP OWNED BY {name}_reader; DROP ROLE {name}_reader", name)


def test_no_free_connection(server, url) -> None:
    name = url.rpartition("/")[2]
    server.run(f"CREATE ROLE {name}_full LOGIN PASSWORD 'pw' CONNECTION LIMIT 1", name)
    try:
        with open_postgres(server.url_of(name, f"{name}_full", "pw")) as database:
            with pytest.raises(OriginUnavailable) as caught:
                database.open_snapshot()
            assert "no free connection" in explain(caught.value)
    finally:
        server.run(f"DROP OWNED BY {name}_full; DROP ROLE {name}_full", name)


def test_a_cancelled_query(server, url) -> None:
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = find_spec(database)
        (chunk,) = snapshot.plan_chunks(spec, 10 * ROWS)
        blocks = snapshot.stream_chunk(spec, chunk)
        next(blocks)
        server.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'")
        with pytest.raises(OriginUnavailable) as caught:
            list(blocks)
        assert "cancelled" in explain(caught.value)
        assert read_t(snapshot, spec) == ROWS


def test_a_query_that_takes_too_long_is_ended_by_the_server(server, url, monkeypatch) -> None:
    server.run("CREATE VIEW slow AS SELECT pg_sleep(60)::text AS a", url.rpartition("/")[2])
    monkeypatch.setattr("edgelift.sources.postgres.snapshot.READ_TIMEOUT_S", 1)
    spec = RowSpec(schema="public", table="slow", target="slow", wire="pgcopy", fields=())
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        with pytest.raises(OriginUnavailable) as caught:
            snapshot.read_facts(spec)
        assert "statement timeout" in explain(caught.value)


def test_a_locked_table_is_not_waited_for_forever(server, url, monkeypatch) -> None:
    monkeypatch.setitem(connection._SETTINGS, "lock_timeout", "50ms")
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = find_spec(database)
        with server.connect(url.rpartition("/")[2]) as other:
            other.execute("BEGIN; LOCK TABLE t")
            with pytest.raises(OriginUnavailable) as caught:
                snapshot.read_facts(spec)
            assert "is locked" in explain(caught.value)
            other.execute("ROLLBACK")
        assert snapshot.read_facts(spec).rows == ROWS


def test_a_full_disk_for_temporary_files(server, url) -> None:
    name = url.rpartition("/")[2]
    server.run(
        f"ALTER DATABASE {name} SET temp_file_limit = '2MB'; ALTER DATABASE {name} SET work_mem = '64kB'",
        name,
    )
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        table = find_spec(database)
        spec = RowSpec(
            schema="public", table="t", target="t", wire="pgcopy", fields=table.fields, key=('"v"',)
        )
        with pytest.raises(OriginUnavailable) as caught:
            read_t(snapshot, spec)
        assert "temporary file size" in explain(caught.value)


@pytest.mark.parametrize(
    ("change", "words"), [("DROP TABLE t", "is gone"), ("ALTER TABLE t DROP v", "A column of")]
)
def test_a_schema_that_changes_meanwhile(server, url, change: str, words: str) -> None:
    with open_postgres(url) as database:
        spec = find_spec(database)
        server.run(change, url.rpartition("/")[2])
        with closing(database.open_snapshot()) as snapshot:
            with pytest.raises(OriginError) as caught:
                snapshot.read_facts(spec)
            assert words in explain(caught.value)
            with pytest.raises(OriginError):
                read_t(snapshot, spec)


def test_text_that_is_not_in_its_encoding_is_named(server) -> None:
    url = server.create_database("ascii_only", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    server.run(r"CREATE TABLE t (id int PRIMARY KEY, v text)", "ascii_only")
    with server.connect("ascii_only") as db:
        db.execute("SET client_encoding = 'SQL_ASCII'")
        db.execute(r"INSERT INTO t VALUES (1, E'caf\xe9')")
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        with pytest.raises(OriginError) as caught:
            read_t(snapshot, find_spec(database))
        assert "not in its own encoding" in explain(caught.value)


def test_a_damaged_table_is_named(server, url) -> None:
    name = url.rpartition("/")[2]
    path = server.data / server.run("SELECT pg_relation_filepath('t')", name)[0][0]
    server.stop()
    with path.open("r+b") as file:
        file.seek(8192 * 3)
        file.write(b"\xff" * 200)
    server.start()
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        with pytest.raises(OriginError) as caught:
            read_t(snapshot, find_spec(database))
        assert "damaged on the server" in explain(caught.value)


def test_a_ticket_is_not_code(server, url) -> None:
    with open_postgres(url) as database:
        for ticket in ("'; DROP TABLE t; --@0/0", "00000099-00000099-9@0/0"):
            with pytest.raises(OriginError) as caught:
                database.join_snapshot(ticket)
            explain(caught.value)
        assert database.read_schema().tables
