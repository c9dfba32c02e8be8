"""A network that drops everything and ends nothing: it is noticed, and a new connection goes on."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import psycopg
import pytest

from edgelift.errors import OriginUnavailable
from edgelift.sources.change_feed import Edit, open_followed
from edgelift.sources.mysql import feed as mysql_feed
from edgelift.sources.mysql import replication as mysql_replication
from edgelift.sources.postgres import feed as postgres_feed
from edgelift.sources.postgres import replication as postgres_replication
from edgelift.sources.postgres.connection import limited
from tests.contract.follow.feeds import build_subject, read_position
from tests.contract.follow.proxy import Proxy, open_proxy
from tests.servers.mariadb import MariaDb

SCHEMA = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2);"


@pytest.fixture
def postgres(make_database, monkeypatch) -> Iterator[tuple[str, str, Proxy]]:
    """A database's url, the same through a proxy, and the proxy."""
    monkeypatch.setattr(postgres_replication, "_STATUS_S", 0.1)
    monkeypatch.setattr(postgres_replication, "SILENCE_S", 0.5)
    monkeypatch.setattr(postgres_feed, "SILENCE_S", 0.5)
    url = make_database(SCHEMA)
    with open_proxy(int(re.findall(r":(\d+)/", url)[0])) as proxy:
        yield url, re.sub(r":\d+/", f":{proxy.port}/", url), proxy


def read_values(feed, wanted: int) -> list[int]:
    found: list[int] = []
    while len(found) < wanted:
        edits = [change for change in feed.read(0.1) if isinstance(change, Edit)]
        found += [edit.new["v"] for edit in edits if edit.new]
    return found


def test_a_silent_server_of_postgres_is_noticed(postgres) -> None:
    url, through, proxy = postgres
    with open_followed(build_subject(through)) as followed:
        try:
            with followed.prepare() as ticket:
                position = ticket.partition("@")[2]
            with contextlib.closing(followed.open(position)) as feed:
                with psycopg.connect(url, autocommit=True) as db:
                    db.execute("UPDATE t SET v = 5 WHERE id = 1")
                assert read_values(feed, 1) == [5]
                proxy.freeze()
                with pytest.raises(OriginUnavailable) as caught:
                    list(feed.read(20.0))
                assert "is dead" in caught.value.what
                assert len(caught.value.lines()) == 3
                with pytest.raises(OriginUnavailable, match="was cut"):
                    feed.read_lag(position, 0.0)
                with pytest.raises(OriginUnavailable, match="was cut"):
                    feed.mark()
            with (
                open_followed(followed.subject) as again,
                contextlib.closing(again.open(position)) as feed,
            ):
                assert read_values(feed, 1) == [5]
        finally:
            with open_followed(build_subject(url)) as direct:
                direct._name = followed._name
                direct.drop()


def test_a_quiet_server_is_not_taken_for_dead(postgres) -> None:
    url, _, _ = postgres
    with open_followed(build_subject(url)) as followed:
        try:
            with followed.prepare() as ticket:
                position = ticket.partition("@")[2]
            with contextlib.closing(followed.open(position)) as feed:
                for _ in range(12):
                    assert list(feed.read(0.1)) == []
        finally:
            followed.drop()


def test_what_takes_too_long_is_cut_and_what_does_not_goes_on(make_database) -> None:
    with psycopg.connect(make_database("SELECT 1"), autocommit=True) as db:
        with limited(db, 30.0):
            db.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError), limited(db, 0.2):
            db.execute("SELECT pg_sleep(60)")


def test_a_silent_server_of_mysql_is_noticed(mariadb_server: MariaDb, monkeypatch) -> None:
    monkeypatch.setattr(mysql_replication, "SILENCE_S", 1)
    monkeypatch.setattr(mysql_feed, "SILENCE_S", 1)
    name = mariadb_server.create_database("silent")
    mariadb_server.run_script(SCHEMA, name)
    url = mariadb_server.make_url(name)
    position = read_position(url)
    with open_proxy(mariadb_server.port) as proxy:
        subject = build_subject(url.replace(f":{mariadb_server.port}/", f":{proxy.port}/"))
        with (
            open_followed(subject) as followed,
            contextlib.closing(followed.open(position)) as feed,
        ):
            mariadb_server.execute("UPDATE t SET v = 5 WHERE id = 1", database=name)
            assert read_values(feed, 1) == [5]
            proxy.freeze()
            with pytest.raises(OriginUnavailable, match="was cut") as caught:
                list(feed.read(20.0))
            assert len(caught.value.lines()) == 3
            with pytest.raises(OriginUnavailable):
                feed.read_lag(position, 0.0)
        with (
            open_followed(subject) as followed,
            contextlib.closing(followed.open(position)) as feed,
        ):
            assert read_values(feed, 1) == [5]
