"""The SQL object from inside the Worker: requests that overlap, fail, hang or forget their connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgelift.targets.workerd import Worker, build_bundle, database_file
from edgelift.targets.workerd.bundle import BundleSpec
from tests.workerd.conftest import Workshop

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("object-in-worker")]

APP = '''
import json, sqlite3, sys, threading, time
from urllib.parse import parse_qs

PATH = "/app/instance/x.db"
KEPT = []

def open_database(**named):
    return sqlite3.connect(PATH, **named)

def read(connection, sql="SELECT v FROM t ORDER BY id"):
    return [row[0] for row in connection.execute(sql)]

def show(query):
    return read(open_database())

def add(query):
    with open_database() as connection:
        connection.execute("INSERT INTO t(v) VALUES(?)", (query["v"],))
        connection.execute("UPDATE counter SET n = n + 1")

def read_modify_write(query):
    connection = open_database(isolation_level="IMMEDIATE")
    for _ in range(int(query["times"])):
        connection.execute("BEGIN IMMEDIATE")
        n = connection.execute("SELECT n FROM counter").fetchone()[0]
        connection.execute("INSERT INTO t(v) VALUES(?)", (f"n{n}",))
        connection.execute("UPDATE counter SET n = ?", (n + 1,))
        connection.commit()
    connection.close()

def ghost(query):
    connection = open_database()
    connection.execute("INSERT INTO t(v) VALUES('ghost')")
    seen = read(connection)
    assert "ghost" in seen, seen
    raise RuntimeError("after the flush")

def leak(query):
    """Leaves a transaction open in a connection that outlives the request."""
    connection = open_database()
    connection.execute("INSERT INTO t(v) VALUES('leaked')")
    KEPT.append(connection)

def kept(query):
    """Another request finds that connection as it was before."""
    connection = KEPT.pop()
    told = [connection.in_transaction, read(connection)]
    connection.execute("INSERT INTO t(v) VALUES('more')")
    connection.commit()
    connection.close()
    return told

def outlive(query):
    """Takes part in the transaction of a request that is over before this one."""
    while not KEPT:
        time.sleep(0.01)
    connection = KEPT.pop()
    connection.execute("INSERT INTO t(v) VALUES('mine')")
    KEPT.append("joined")
    told = []
    while not told:
        time.sleep(0.02)
        try:
            read(connection)
        except sqlite3.Error as error:
            told.append(f"{type(error).__name__}: {error}")
    told.append(connection.in_transaction)
    connection.close()
    return told

def leak_when_joined(query):
    connection = open_database()
    connection.execute("INSERT INTO t(v) VALUES('leaked')")
    KEPT.append(connection)
    while KEPT != ["joined"]:
        time.sleep(0.01)
    KEPT.clear()

def slow(query):
    connection = open_database()
    connection.execute("INSERT INTO t(v) VALUES(?)", (query["v"],))
    time.sleep(float(query["s"]))
    connection.commit()
    connection.close()

def hang(query):
    """Holds its transaction until another request lets it go."""
    connection = open_database()
    connection.execute("INSERT INTO t(v) VALUES(?)", (query["v"],))
    KEPT.append("hung")
    while KEPT:
        time.sleep(0.01)
    connection.commit()

def meet_the_hung(query):
    while not KEPT:
        time.sleep(0.01)

def let_go(query):
    KEPT.clear()

def threads(query):
    """Four threads of one request, each with a connection of its own."""
    def work(number):
        connection = open_database()
        connection.execute("INSERT INTO t(v) VALUES(?)", (f"thread {number}",))
        time.sleep(0.01)
        connection.execute("UPDATE counter SET n = n + 1")
        connection.rollback() if number == 2 else connection.commit()
        connection.close()
    started = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return read(open_database())

def begin_shared(query):
    """One connection for all requests, as with check_same_thread=False; waits for the other one."""
    connection = open_database(check_same_thread=False)
    connection.execute("INSERT INTO t(v) VALUES('first')")
    KEPT.append(connection)
    while len(KEPT) == 1:
        time.sleep(0.01)
    KEPT.clear()
    connection.commit()

def join_shared(query):
    while not KEPT:
        time.sleep(0.01)
    KEPT[0].execute("INSERT INTO t(v) VALUES('second')")
    seen = read(KEPT[0])
    KEPT.append(None)
    return seen

def reset(query):
    connection = open_database()
    connection.executescript("DELETE FROM t; UPDATE counter SET n = 0")

def app(environ, start_response):
    query = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    answer = globals()[environ["PATH_INFO"].strip("/")](query)
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(answer).encode()]
'''
SCHEMA = """
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
CREATE TABLE counter(n INTEGER);
INSERT INTO counter VALUES(0);
PRAGMA journal_mode=WAL;
"""


def database_of(worker: Worker) -> Path:
    return database_file(worker.log.parent / "state", "DB", "object")


@pytest.fixture(scope="module")
def worker(new_workshop: Callable[[str], Workshop]) -> Iterator[Worker]:
    shop = new_workshop(APP)
    (shop.folder / "site").mkdir()
    with closing(sqlite3.connect(database_file(shop.folder / "state", "DB", "object"))) as db:
        db.executescript(SCHEMA)
    database = {"binding": "DB", "path": "/app/instance/x.db", "strategy": "object"}
    settings = {
        "framework": "wsgi",
        "entry": "app:app",
        "root": "/app",
        "databases": [database],
    }
    spec = BundleSpec(app_dir=shop.app, site_packages=shop.folder / "site", settings=settings)
    bundle = build_bundle(spec, shop.folder / "runtime", shop.toolchain, shop.notes.append)
    assert bundle.snapshot, bundle.snapshot_error + bundle.traceback
    with shop.start(bundle) as running:
        yield running


@pytest.fixture
def ask(worker: Worker) -> Callable[..., Any]:
    def send(path: str, status: int = 200, **query: object) -> Any:
        answer = httpx.get(f"{worker.url}/{path}", params=query, timeout=120)
        assert answer.status_code == status, worker.read_log_tail()
        return answer.json() if status == 200 else None

    send("reset")
    return send


Ask = Callable[..., Any]


def test_what_was_put_there_is_read_and_what_is_written_lies_there(
    ask: Ask, worker: Worker
) -> None:
    assert ask("show") == []
    ask("add", v="one")
    assert ask("show") == ["one"]
    with closing(sqlite3.connect(database_of(worker))) as db:
        assert db.execute("SELECT v FROM t").fetchall() == [("one",)]


def test_a_request_that_flushes_and_then_raises_leaves_nothing(ask: Ask) -> None:
    ask("add", v="kept")
    ask("ghost", status=500)
    assert ask("show") == ["kept"]


def test_no_update_is_lost_by_writers_at_once(ask: Ask, worker: Worker) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: ask("read_modify_write", times=10), range(16)))
    assert len(ask("show")) == 160
    assert sorted(ask("show")) == sorted(f"n{n}" for n in range(160))


def test_nobody_sees_what_is_not_committed(ask: Ask) -> None:
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(ask, "slow", v="slow", s=0.4)
        seen = [ask("show") for _ in range(5)]
        slow.result()
    assert all(rows in ([], ["slow"]) for rows in seen)
    assert ask("show") == ["slow"]


def test_a_transaction_ends_with_its_request(ask: Ask, worker: Worker) -> None:
    ask("leak")
    assert ask("show") == []
    assert "a transaction was still open when its request ended" in worker.log.read_text()
    assert ask("kept") == [False, []]
    assert ask("show") == ["more"]


def test_who_took_part_in_a_transaction_hears_of_its_end(ask: Ask) -> None:
    with ThreadPoolExecutor(2) as pool:
        outliving = pool.submit(ask, "outlive")
        ask("leak_when_joined")
        told, in_transaction = outliving.result()
    assert "the transaction was rolled back" in told
    assert in_transaction is False
    assert ask("show") == []


def test_a_hung_request_costs_the_others_seconds_only(ask: Ask, worker: Worker) -> None:
    with ThreadPoolExecutor(2) as pool:
        hung = pool.submit(ask, "hang", 500, v="hung")
        ask("meet_the_hung")
        seen = [ask("show") for _ in range(3)]
        ask("let_go")
        hung.result()
    assert seen == [[], [], []]
    ask("add", v="after")
    assert ask("show") == ["after"]
    assert "it was idle for 5000 ms, and others wait for it" in worker.log.read_text()


def test_threads_of_a_request_have_transactions_of_their_own(ask: Ask) -> None:
    assert sorted(ask("threads")) == ["thread 0", "thread 1", "thread 3"]


def test_a_connection_that_requests_share_is_one_transaction(ask: Ask) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, "begin_shared")
        assert ask("join_shared") == ["first", "second"]
        first.result()
    assert ask("show") == ["first", "second"]
