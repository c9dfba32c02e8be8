"""The PostgreSQL modules on servers with TLS, old passwords and broken connections."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.postgres import PASSWORD, PostgresServer, require_postgres, start_postgres

SOURCE = Path(__file__).resolve().parents[3] / "src"
HEAD = """
import asyncio, json, sys, threading, time
sys.path.insert(0, {source!r})
from edgelift.worker.postgres import install
install(blocking={blocking})
URL = {url!r}
def caught(work):
    try:
        return work()
    except Exception as error:
        return [type(error).__name__, str(error)]
"""


def run(url: str, script: str, *, blocking: bool = False) -> Any:
    """Run a script with the modules in place; its last line of output is JSON."""
    head = HEAD.format(source=str(SOURCE), url=url, blocking=blocking)
    done = subprocess.run(
        [sys.executable, "-c", head + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def tls_server():
    require_postgres()
    with start_postgres(tls=True) as server:
        yield server


SYNC_TLS = """
import {driver} as driver
def connect(**options):
    c = driver.connect(URL, **options)
    k = c.cursor()
    k.execute("SELECT ssl, repeat('x', 300000) FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    row = k.fetchone()
    c.close()
    return [row[0], len(row[1])]
CA = {ca!r}
print(json.dumps([
    connect(), connect(sslmode="require"), connect(sslmode="disable"),
    connect(sslmode="verify-ca", sslrootcert=CA),
    connect(sslmode="verify-full", sslrootcert=CA, host="localhost"),
    caught(lambda: connect(sslmode="verify-full", sslrootcert=CA, host="127.0.0.1")),
    caught(lambda: connect(sslmode="verify-ca", sslrootcert="system")),
    caught(lambda: connect(sslmode="nope")),
]))
"""


@pytest.mark.parametrize(
    ("driver", "blocking"), [("psycopg2", False), ("psycopg", False), ("psycopg", True)]
)
def test_tls_and_host_names(tls_server: PostgresServer, driver, blocking) -> None:
    script = SYNC_TLS.format(driver=driver, ca=str(tls_server.certificate))
    *good, wrong_host, unknown, mode = run(tls_server.url, script, blocking=blocking)
    encrypted = [True, 300000]
    assert good == [encrypted, encrypted, [False, 300000], encrypted, encrypted]
    for name, text in (wrong_host, unknown):
        assert name == "OperationalError"
        assert "certificate" in text.lower()
    assert "sslmode" in mode[1]


def test_tls_of_asyncpg(tls_server: PostgresServer) -> None:
    script = f"""
import asyncpg, ssl
async def connect(**options):
    try:
        c = await asyncpg.connect(URL, **options)
    except Exception as error:
        return type(error).__name__
    used = await c.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    await c.close()
    return used
async def main():
    context = ssl.create_default_context(cafile={str(tls_server.certificate)!r})
    return [await connect(ssl=False), await connect(ssl="require"), await connect(),
            await connect(ssl=context, host="localhost"), await connect(ssl=context)]
print(json.dumps(asyncio.run(main())))
"""
    found = run(tls_server.url, script)
    assert found == [False, True, True, True, "SSLCertVerificationError"]


def test_a_server_without_tls_is_refused_when_tls_is_required(postgres_server) -> None:
    script = """
import psycopg2, asyncpg
print(json.dumps([caught(lambda: psycopg2.connect(URL, sslmode="require")),
                  caught(lambda: asyncio.run(asyncpg.connect(URL, ssl="require")))]))
"""
    (name, text), (other, _) = run(postgres_server.url, script)
    assert name == "OperationalError"
    assert "server does not support SSL, but SSL was required" in text
    assert other == "ConnectionError"


@pytest.mark.parametrize("auth", ["md5", "password"])
def test_older_ways_to_log_in(auth) -> None:
    require_postgres()
    with start_postgres(auth=auth, settings={"password_encryption": "md5"}) as server:
        server.run("CREATE ROLE older LOGIN PASSWORD 'pass'")
        good = server.url_of("postgres", "older", "pass")
        script = """
import psycopg2, psycopg, asyncpg
wrong = URL.replace(":pass@", ":wrong@")
def log_in(url):
    a = caught(lambda: psycopg2.connect(url).closed)
    b = caught(lambda: psycopg.connect(url).closed)
    c = caught(lambda: asyncio.run(asyncpg.connect(url)).is_closed())
    return [a, b, c]
print(json.dumps([log_in(URL), log_in(wrong)]))
"""
        right, wrong = run(good, script)
    assert [bool(found) for found in right] == [False, False, False]
    assert all("password authentication failed" in text for _, text in wrong)


BROKEN = """
import psycopg2, psycopg, asyncpg
end = "SELECT pg_terminate_backend(pg_backend_pid())"
a = psycopg2.connect(URL)
first = [caught(lambda: a.cursor().execute(end)), a.closed, caught(lambda: a.cursor())]
b = psycopg.connect(URL)
second = [caught(lambda: b.execute(end)), b.broken, caught(lambda: b.execute("SELECT 1"))]
async def main():
    c = await asyncpg.connect(URL)
    try:
        await c.fetch(end)
    except Exception as error:
        return [type(error).__name__, type(error.__cause__).__name__, c.is_closed()]
print(json.dumps([first, second, asyncio.run(main())]))
"""


@pytest.mark.parametrize("blocking", [False, True])
def test_a_connection_that_the_server_ends(make_database, blocking) -> None:
    first, second, third = run(make_database(), BROKEN, blocking=blocking)
    assert first[0][0] == "AdminShutdown"
    assert "terminating connection due to administrator command" in first[0][1]
    assert first[1:] == [2, ["InterfaceError", "connection already closed"]]
    assert second[0][0] == "AdminShutdown"
    assert second[1] is True
    assert second[2][0] == "OperationalError"
    assert third == ["ConnectionDoesNotExistError", "AdminShutdownError", True]


def test_a_statement_is_cancelled(make_database) -> None:
    script = """
import psycopg2, psycopg, asyncpg
watch = psycopg2.connect(URL)
watch.autocommit = True
def when_running(work):
    k = watch.cursor()
    while True:
        k.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'")
        if k.fetchone():
            work()
            return
def cancelled(connection, run):
    thread = threading.Thread(target=when_running, args=(connection.cancel,))
    thread.start()
    found = caught(run)
    thread.join()
    return found
a = psycopg2.connect(URL)
b = psycopg.connect(URL)
sleep = "SELECT pg_sleep(50)"
first = cancelled(a, lambda: a.cursor().execute(sleep))
second = cancelled(b, lambda: b.execute(sleep))
a.rollback(), b.rollback()
k = a.cursor()
k.execute("SELECT 5")
async def main():
    c = await asyncpg.connect(URL)
    try:
        await c.fetch(sleep, timeout=0.1)
    except TimeoutError:
        return await c.fetchval("SELECT 6")
print(json.dumps([first[0], second[0], k.fetchone()[0], b.execute("SELECT 7").fetchone()[0], asyncio.run(main())]))
"""
    assert run(make_database(), script) == ["QueryCanceled", "QueryCanceled", 5, 7, 6]


def test_no_server_is_told(postgres_server) -> None:
    script = """
import psycopg2, psycopg, asyncpg
where = "host=127.0.0.1 port=1 dbname=x user=y"
url = "postgresql://y@127.0.0.1:1/x"
print(json.dumps([caught(lambda: psycopg2.connect(where)), caught(lambda: psycopg.connect(where)),
                  caught(lambda: asyncio.run(asyncpg.connect(url)))]))
"""
    first, second, third = run(postgres_server.url, script)
    assert [first[0], second[0], third[0]] == [
        "OperationalError",
        "OperationalError",
        "ConnectionRefusedError",
    ]
    assert "Is the server running on that host and accepting TCP/IP connections?" in first[1]


def test_a_password_is_never_shown(postgres_server) -> None:
    script = """
import psycopg2
c = psycopg2.connect(URL)
print(json.dumps([repr(c), c.dsn, str(c.get_dsn_parameters()), str(c.info.dsn_parameters)]))
"""
    assert all(PASSWORD not in text for text in run(postgres_server.url, script))
