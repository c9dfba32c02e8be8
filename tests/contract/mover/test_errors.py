"""What a user meets when server, rights, disk or connection fail: three lines, and nothing lost."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from edgelift.errors import EdgeliftError, OriginError, OriginUnavailable, TargetError, UsageError
from edgelift.model.findings import Status
from edgelift.stages.data.server import target as target_module
from edgelift.stages.data.server.throttle import Throttle
from tests.contract.mover.moving import judge, read_plainly, read_target, start_moving

SECRET = "s3cret-word"
TABLE = {
    "postgres": "CREATE TABLE t (id integer PRIMARY KEY, name text);"
    "INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 2000) n;",
    "mysql": "CREATE TABLE t (id int PRIMARY KEY, name varchar(40));"
    "INSERT INTO t SELECT seq, concat('name ', seq) FROM seq_1_to_2000;",
}


@dataclass
class Origin:
    """A server with a database that has one table, and a way to URLs of other users."""

    kind: str
    server: object
    database: str

    def url(self, user: str = "", password: str = "", database: str = "", port: int = 0) -> str:
        name = database or self.database
        if self.kind == "postgres":
            url = self.server.url_of(name, **({"user": user, "password": password} if user else {}))
        else:
            url = self.server.make_url(
                name, **({"user": user, "password": password} if user else {})
            )
        return url.replace(f":{self.server.port}/", f":{port}/") if port else url

    def make_user(self, user: str, grant: str = "") -> str:
        if self.kind == "postgres":
            self.server.run(
                f"DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN PASSWORD '{SECRET}'"
            )
            if grant:
                self.server.run(grant.format(user=user), self.database)
        else:
            self.server.execute(f"CREATE OR REPLACE USER {user}@'%' IDENTIFIED BY '{SECRET}'")
            if grant:
                self.server.execute(grant.format(user=f"{user}@'%'"), database=self.database)
        return self.url(user, SECRET)

    def cut(self) -> None:
        """End every connection of the copy, as a network or an administrator would."""
        if self.kind == "postgres":
            self.server.end_connections()
            return
        for row in self.server.execute("SHOW PROCESSLIST"):
            if row[3] == self.database:
                self.server.execute(f"KILL {row[0]}")


@pytest.fixture(params=["postgres", "mysql"])
def origin(request):
    if request.param == "postgres":
        url = request.getfixturevalue("make_database")(TABLE["postgres"])
        server = request.getfixturevalue("postgres_server")
        return Origin("postgres", server, url.rpartition("/")[2])
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("errors")
    server.run_script(TABLE["mysql"], name)
    return Origin("mysql", server, name)


def assert_three_lines(error: EdgeliftError, *words: str) -> None:
    lines = error.lines()
    assert len(lines) == 3
    assert all(lines)
    assert lines[2].startswith("Tip: ")
    assert "no further detail" not in lines[1]
    text = "\n".join(lines)
    assert SECRET not in text
    for word in words:
        assert word in text, text


def find_closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_server_is_down(origin: Origin) -> None:
    port = find_closed_port()
    with pytest.raises(OriginUnavailable) as caught:
        judge(origin.url("reader", SECRET, port=port))
    assert_three_lines(caught.value, "127.0.0.1")


def test_a_wrong_password(origin: Origin) -> None:
    origin.make_user("wrong_word")
    with pytest.raises(OriginError) as caught:
        judge(origin.url("wrong_word", f"{SECRET}-but-wrong"))
    assert_three_lines(caught.value, "wrong_word")


def test_an_unknown_database(origin: Origin) -> None:
    with pytest.raises(OriginError) as caught:
        judge(origin.url(database="no_such_thing"))
    assert_three_lines(caught.value, "no_such_thing")


def test_a_user_without_rights(origin: Origin) -> None:
    grant = {
        "postgres": "GRANT USAGE ON SCHEMA public TO {user}",
        "mysql": "GRANT SHOW VIEW ON " + origin.database + ".* TO {user}",
    }
    url = origin.make_user("no_rights", grant[origin.kind])
    with pytest.raises(OriginError) as caught:
        judge(url)
    assert not isinstance(caught.value, OriginUnavailable)
    assert_three_lines(caught.value)


def test_an_unknown_scheme() -> None:
    with pytest.raises(UsageError) as caught:
        judge(f"oracle://scott:{SECRET}@localhost/orders")
    assert_three_lines(caught.value, "oracle://scott:***@localhost/orders", "postgresql")


class _Cutter(Throttle):
    """Cuts the connection once, after some chunks."""

    def __init__(self, act, after: int) -> None:
        super().__init__()
        self.act, self.left = act, after

    def pass_rows(self, rows: int) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


def test_the_connection_is_cut_and_the_copy_goes_on_later(origin: Origin, tmp_path: Path) -> None:
    moving = start_moving(origin.url(), tmp_path, chunk_rows=100)
    moving.throttle = _Cutter(origin.cut, after=5)
    with pytest.raises(OriginUnavailable) as caught:
        moving.copy()
    assert_three_lines(caught.value)
    moving.throttle = Throttle()
    copy = moving.copy()
    assert copy.kept >= 5
    query = "SELECT * FROM t"
    assert read_plainly(origin.url(), query) == read_target(moving.part, query)
    assert moving.prove()["rows"].status is Status.PASS


def test_the_disk_is_full_and_the_copy_goes_on_later(
    origin: Origin, tmp_path: Path, monkeypatch
) -> None:
    moving = start_moving(origin.url(), tmp_path, chunk_rows=100)
    real = target_module.open_target

    def open_small(path: Path, *, durable: bool) -> apsw.Connection:
        db = real(path, durable=durable)
        db.execute("PRAGMA max_page_count=12")
        return db

    monkeypatch.setattr(target_module, "open_target", open_small)
    with pytest.raises(TargetError) as caught:
        moving.copy()
    assert_three_lines(caught.value, "full")
    assert caught.value.exit_code == 5
    monkeypatch.setattr(target_module, "open_target", real)
    assert moving.copy().kept > 0
    query = "SELECT * FROM t"
    assert read_plainly(origin.url(), query) == read_target(moving.part, query)


def test_rows_that_appeared_and_do_not_fit_are_named(make_database, tmp_path: Path) -> None:
    url = make_database("CREATE TABLE t (id integer PRIMARY KEY, at date)")
    moving = start_moving(url, tmp_path)
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        db.execute("INSERT INTO t VALUES (1, '2024-01-01'), (2, 'infinity')")
    with pytest.raises(OriginError) as caught:
        moving.copy()
    assert_three_lines(caught.value, "t", "at")
