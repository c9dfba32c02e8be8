"""What an app does with aiopg; prints every answer as a line of JSON.

With SCENARIO_SOURCE over the Worker's psycopg2, else over the installed one: python scenario.py URL
"""

import asyncio
import datetime as dt
import json
import os
import re
import sys
import uuid
import warnings
from decimal import Decimal

if os.environ.get("SCENARIO_SOURCE"):
    sys.path.insert(0, os.environ["SCENARIO_SOURCE"])
    from edgelift.worker.postgres import install

    install()

import aiopg
import psycopg2
import psycopg2.extras

URL = sys.argv[1]
STATEMENTS = (
    ("SELECT %s, %s, %s", (1, "ü'%", None)),
    (
        "SELECT %(a)s::numeric, %(b)s::timestamptz, %(a)s + 1",
        {"a": Decimal("1.50"), "b": dt.datetime(2024, 2, 29, tzinfo=dt.UTC)},
    ),
    ("SELECT 10 %% 3", None),
    ("SELECT ARRAY[1, NULL, 3], ARRAY['a', 'b,c'], '{\"a\": [1, null]}'::json, '{}'::jsonb", ()),
    ("SELECT %s::uuid, '\\x00ff'::bytea, '1 day 02:03:04'::interval, true", ("7" * 32,)),
    (
        "SELECT '2024-01-02'::date, '10:20:30.5'::time, 1e10::float8, 2::int2, 9007199254740993::int8",
        (),
    ),
    ("SELECT %s, %s", ([1, 2], (3, 4))),
    ("SELECT generate_series(1, 3) AS n", ()),
    ("SELECT 1 WHERE false", ()),
    ("INSERT INTO t(v) VALUES (%s), (%s) RETURNING id, v", ("a", "b")),
    ("UPDATE t SET v = v || '!'", ()),
    ("DELETE FROM t WHERE v = 'b!'", ()),
    ("CREATE TABLE made(a int)", ()),
    ("SELECT * FROM nowhere", ()),
    ("SELECT 1/0", ()),
    ("SELECT %s", ()),
    ("SELECT %s", (object(),)),
    ("INSERT INTO t(id, v) VALUES (1, 'again')", ()),
    ("SELEC", ()),
    ("", ()),
    ("DO $$ BEGIN RAISE NOTICE 'seen %%', 7; END $$", ()),
)


async def tell_error(work):
    try:
        return await work
    except Exception as error:
        code = getattr(error, "pgcode", None)
        text = str(error).splitlines()[0] if str(error) else ""
        text = re.sub("^connection to server .* failed: ", "", text)  # libpq says so when it waits
        return [
            "raised",
            type(error).__name__,
            code,
            text if code or "object at" not in text else "",
        ]


async def run_statements():
    async with aiopg.connect(URL) as connection:
        for sql, values in STATEMENTS:
            async with connection.cursor() as cursor:
                yield await tell_error(run_one(cursor, sql, values))
        yield [notice.strip() for notice in connection.notices]


async def run_one(cursor, sql, values):
    await cursor.execute(sql, values)
    columns = [[c.name, c.type_code] for c in cursor.description or ()]
    rows = await cursor.fetchall() if cursor.description else None
    return [columns, rows, cursor.rowcount, cursor.statusmessage, cursor.query.decode()[:60]]


async def use_cursors():
    async with aiopg.connect(URL) as connection:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT n, n * n AS square FROM generate_series(1, 10) n")
            yield await cursor.fetchone()
            yield await cursor.fetchmany(2)
            cursor.arraysize = 3
            yield await cursor.fetchmany()
            yield [cursor.rownumber, cursor.arraysize, cursor.rowcount, cursor.closed]
            await cursor.scroll(1)
            yield [row async for row in cursor]
            yield await cursor.fetchone()
            yield cursor.mogrify("SELECT %s, %s", ("x'y", None)).decode()
            await cursor.callproc("upper", ["abc"])
            yield await cursor.fetchone()
            for refused in ("executemany", "copy_from", "copy_to", "copy_expert"):
                yield await tell_error(getattr(cursor, refused)("SELECT 1", []))
        async with connection.cursor(cursor_factory=psycopg2.extras.DictCursor) as cursor:
            await cursor.execute("SELECT 1 AS one, 2 AS two")
            row = await cursor.fetchone()
            yield [row["one"], row["two"], list(row.keys())]
        async with connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
            await cursor.execute("SELECT 1 AS one")
            yield (await cursor.fetchone()).one
        closed = connection.cursor()
        closed = await closed
        closed.close()
        yield await tell_error(closed.execute("SELECT 1"))
        for wrong in ("commit", "rollback"):
            yield await tell_error(getattr(connection, wrong)())
        yield [connection.autocommit, connection.closed, connection.encoding, connection.timeout]
        yield [await connection.get_transaction_status(), connection.server_version > 90000]


async def use_transactions():
    async with aiopg.connect(URL) as connection, connection.cursor() as cursor:
        async with cursor.begin():
            await cursor.execute("INSERT INTO t(v) VALUES ('kept')")
            yield await connection.get_transaction_status()
        yield await tell_error(break_transaction(cursor))
        yield await connection.get_transaction_status()
        async with cursor.begin():
            await cursor.execute("INSERT INTO t(v) VALUES ('outer')")
            yield await tell_error(break_inner(cursor))
        level = aiopg.IsolationLevel.serializable
        async with aiopg.Transaction(cursor, level, readonly=True) as transaction:
            await cursor.execute("SHOW transaction_isolation")
            yield await cursor.fetchone()
            yield transaction.is_begin
            yield await tell_error(cursor.execute("INSERT INTO t(v) VALUES ('no')"))
        await cursor.execute("SELECT v FROM t ORDER BY id")
        yield await cursor.fetchall()


async def break_transaction(cursor):
    async with cursor.begin():
        await cursor.execute("INSERT INTO t(v) VALUES ('lost')")
        await cursor.execute("INSERT INTO t(id, v) VALUES (1, 'again')")


async def break_inner(cursor):
    async with cursor.begin_nested():
        await cursor.execute("INSERT INTO t(v) VALUES ('inner')")
        raise LookupError("own")


async def use_pools():
    async with aiopg.create_pool(URL, minsize=1, maxsize=2) as pool:
        yield [pool.size, pool.freesize, pool.minsize, pool.maxsize]
        async with pool.acquire() as first, pool.acquire() as second:
            yield [pool.size, pool.freesize, first is second]
            yield await tell_error(asyncio.wait_for(pool.acquire()._coro, 0.2))
        yield [pool.size, pool.freesize]
        with await pool.cursor() as cursor:
            await cursor.execute("SELECT 5")
            yield await cursor.fetchone()
        yield await asyncio.gather(*(ask(pool, n) for n in range(6)))
        connection = await pool.acquire()
        async with connection.cursor() as cursor:
            await cursor.execute("BEGIN")
        pool.release(connection)  # inside of a transaction: it is closed with a warning
        yield [pool.size, pool.freesize]
        await pool.clear()
        yield [pool.size, pool.freesize]
    yield await tell_error(pool.acquire()._coro)


async def ask(pool, number):
    async with pool.acquire() as connection, connection.cursor() as cursor:
        await cursor.execute("SELECT %s FROM pg_sleep(0.02)", (number,))
        return (await cursor.fetchone())[0]


async def use_waiting():
    connection = await aiopg.connect(URL, timeout=0.5)
    cursor = await connection.cursor()
    yield await tell_error(cursor.execute("SELECT pg_sleep(30)"))
    yield connection.closed
    connection = await aiopg.connect(URL)
    cursor = await connection.cursor()
    running = asyncio.ensure_future(cursor.execute("SELECT pg_sleep(0.3), 7"))
    await asyncio.sleep(0)
    yield await tell_error(cursor.execute("SELECT 1"))
    await running
    yield (await cursor.fetchone())[1]
    task = asyncio.ensure_future(cursor.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.1)
    task.cancel()
    yield await tell_error(swallow_cancel(task))
    await connection.close()
    yield await tell_error(connect_wrongly())


async def connect_wrongly():
    await aiopg.connect(URL.replace("postgresql://", "postgresql://no"))


async def swallow_cancel(task):
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    return "went on"


async def use_notifications():
    async with aiopg.connect(URL) as listening, aiopg.connect(URL) as telling:
        async with listening.cursor() as cursor:
            await cursor.execute("LISTEN channel")
        async with telling.cursor() as cursor:
            for payload in ("one", "zwei ü"):
                await cursor.execute("SELECT pg_notify('channel', %s)", (payload,))
        for _ in range(2):
            message = await asyncio.wait_for(listening.notifies.get(), 10)
            yield [message.channel, message.payload, message.pid != 0]


async def use_types():
    options = {"enable_json": True, "enable_uuid": True}
    async with aiopg.connect(URL, **options) as connection, connection.cursor() as cursor:
        value = uuid.UUID(int=5)
        await cursor.execute("SELECT %s, %s::jsonb", (value, psycopg2.extras.Json({"a": 1})))
        yield await cursor.fetchone()
        await cursor.execute("SELECT '[1,3)'::int4range, '{1,2}'::int[], 'x'::text")
        yield await cursor.fetchone()


SCENARIOS = (
    run_statements, use_cursors, use_transactions, use_pools, use_waiting, use_notifications, use_types,
)  # fmt: skip


def show(value):
    return [
        type(value).__name__,
        bytes(value).hex() if isinstance(value, (bytes, memoryview)) else str(value),
    ]


async def main():
    warnings.simplefilter("ignore")
    async with aiopg.connect(URL) as connection, connection.cursor() as cursor:
        await cursor.execute("CREATE TABLE t(id serial PRIMARY KEY, v text)")
    for scenario in SCENARIOS:
        number = 0
        try:
            async for answer in scenario():
                print(json.dumps([scenario.__name__, number, answer], default=show), flush=True)
                number += 1
        except Exception as error:
            print(json.dumps([scenario.__name__, "stopped", number, repr(error)[:300]]), flush=True)


asyncio.run(main())
