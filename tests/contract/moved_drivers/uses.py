"""What each driver is used for over the moved database of the cases; prints one JSON object.

Run in a process of its own by test_drivers.py: the compatible modules take the drivers' names.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
import tempfile
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from edgelift.worker.moved import finding
from edgelift.worker.postgres.installing import install
from tests.cases.moved_drivers import replay

HOST = "main.moved.edgelift"
MOMENT = datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 - of no zone


def use_psycopg2() -> dict[str, Any]:
    import psycopg2
    import psycopg2.extras
    from psycopg2 import errors, pool, sql

    told: dict[str, Any] = {}
    made = pool.SimpleConnectionPool(1, 2, host=HOST, dbname="main", user="me")
    connection = made.getconn()
    with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cur:
        cur.execute(
            "INSERT INTO people (name, email, salary, tags, info, raw, born, worked, token)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING *",
            ("it's \\", "p2@x", Decimal("1.5"), ["a", None, 'b"c'], psycopg2.extras.Json({"k": [1]}),
             psycopg2.Binary(b"\0'\\"), date(2024, 2, 29), timedelta(days=1, seconds=5),
             "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        )  # fmt: skip
        row = cur.fetchone()
        told["row"] = [row["name"], str(row["salary"]), row["tags"], row["info"], bytes(row["raw"]).hex(),
                       row["born"].isoformat(), row["worked"].total_seconds()]  # fmt: skip
    with contextlib.suppress(errors.UniqueViolation), connection, connection.cursor() as cur:
        cur.execute("DELETE FROM members")
        cur.execute("INSERT INTO people (name, email) VALUES ('x', 'p2@x')")
    with connection, connection.cursor() as cur:
        cur.execute("SELECT count(*) FROM members")
        told["kept"] = cur.fetchone()[0]
        psycopg2.extras.execute_values(
            cur, "INSERT INTO teams (id, title) VALUES %s", [(10, "X"), (11, "Y")]
        )
        psycopg2.extras.execute_batch(
            cur, "UPDATE teams SET title = title || %s WHERE id = %s", [("1", 10), ("2", 11)]
        )
        cur.execute(
            sql.SQL("SELECT {} FROM teams WHERE id IN %s ORDER BY id").format(
                sql.Identifier("title")
            ),
            ((10, 11),),
        )
        told["values"] = cur.fetchall()
        cur.copy_from(
            io.StringIO("20\tT\t\\N\n21\tU\\tV\t1\n"), "teams", columns=("id", "title", "lead_id")
        )
        target = io.StringIO()
        cur.copy_expert(
            "COPY (SELECT id, title FROM teams WHERE id > 19 ORDER BY id) TO STDOUT CSV", target
        )
        told["copy"] = target.getvalue()
    with connection, connection.cursor("named") as cur:
        cur.itersize = 1
        cur.execute("SELECT id FROM teams WHERE id >= 10 ORDER BY id")
        told["named"] = [row[0] for row in cur]
    try:
        with connection, connection.cursor() as cur:
            cur.execute("SELECT email ~ 'x' FROM people")
    except psycopg2.NotSupportedError as error:
        told["refused"] = error.diag.message_primary
    made.putconn(connection)
    made.closeall()
    return told


def use_psycopg() -> dict[str, Any]:
    import psycopg
    from psycopg.rows import dict_row

    told: dict[str, Any] = {}
    with psycopg.connect(
        f"host={HOST} hostaddr=127.0.0.1 dbname=main user=me", row_factory=dict_row
    ) as db:
        row = db.execute(
            "INSERT INTO people (name, email, age, salary, ratio, seen, numbers, token) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " RETURNING name, age, salary, ratio, seen, numbers, token",
            ("p3", "p3@x", 7, Decimal("2.25"), 0.5, MOMENT.replace(microsecond=6), [1, 2], uuid.UUID(int=5)),
        ).fetchone()  # fmt: skip
        told["row"] = {key: str(value) for key, value in (row or {}).items()}
        with contextlib.suppress(ZeroDivisionError), db.transaction():
            db.execute("DELETE FROM members")
            with db.transaction():
                db.execute("DELETE FROM people WHERE id = %s", (2,))
            raise ZeroDivisionError
        told["kept"] = db.execute("SELECT count(*) AS n FROM members").fetchone()
        cur = db.cursor()
        cur.executemany("INSERT INTO teams (id, title) VALUES (%s, %s)", [(30, "a"), (31, "b")])
        with cur.copy("COPY teams (id, title) FROM STDIN") as copy:
            copy.write_row((32, "c"))
        told["teams"] = [
            r["id"] for r in db.execute("SELECT id FROM teams WHERE id >= %b ORDER BY id", (30,))
        ]
        with db.cursor("server") as server:
            server.execute("SELECT id FROM teams WHERE id >= 30 ORDER BY id")
            told["server"] = [r["id"] for r in server]
        try:
            db.execute("INSERT INTO people (name, email) VALUES ('x', 'p3@x')")
        except psycopg.errors.UniqueViolation as error:
            told["error"] = [error.sqlstate, error.diag.constraint_name]
    return told


async def use_asyncpg() -> dict[str, Any]:
    import asyncpg

    told: dict[str, Any] = {}
    pool = await asyncpg.create_pool(host=HOST, database="main", user="me", ssl=False, min_size=1)
    async with pool.acquire() as db:
        row = await db.fetchrow(
            "INSERT INTO people (name, email, age, salary, born, wakes, made, tags, token, worked, active)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *",
            "ap", "ap@x", 9, Decimal("3.10"), date(2024, 5, 6), time(1, 2, 3), datetime(2024, 1, 1, tzinfo=UTC),
            ["t", None], uuid.UUID(int=9), timedelta(hours=3), False,
        )  # fmt: skip
        names = ("age", "salary", "born", "wakes", "made", "tags", "token", "worked", "active")
        told["row"] = [str(row[name]) for name in names]
        try:
            async with db.transaction():
                await db.execute("DELETE FROM members")
                async with db.transaction():
                    await db.execute("UPDATE people SET age = $1 WHERE id = $2", -1, 1)
        except asyncpg.CheckViolationError as error:
            told["error"] = [error.sqlstate, error.constraint_name, error.table_name]
        told["kept"] = await db.fetchval("SELECT count(*) FROM members")
        try:
            await db.executemany(
                "INSERT INTO teams (id, title) VALUES ($1, $2)", [(40, "a"), (40, "b")]
            )
        except asyncpg.UniqueViolationError:
            told["many"] = await db.fetchval("SELECT count(*) FROM teams WHERE id = 40")
        async with db.transaction():
            told["cursor"] = [
                r["id"] async for r in db.cursor("SELECT id FROM people WHERE id < 3 ORDER BY id")
            ]
        told["any"] = [
            r["id"]
            for r in await db.fetch("SELECT id FROM people WHERE id = ANY($1) ORDER BY id", [1, 3])
        ]
        told["many arrays"] = await db.execute(
            "INSERT INTO teams (id, title) SELECT * FROM unnest($1::bigint[], $2::text[])",
            [50, 51],
            ["x", "y"],
        )
    await pool.close()
    return told


def use_pymysql() -> dict[str, Any]:
    import pymysql
    import pymysql.cursors

    from edgelift.worker.moved.servers import dial

    told: dict[str, Any] = {}
    db = pymysql.connect(
        user="me", database="main", defer_connect=True, cursorclass=pymysql.cursors.DictCursor
    )
    db.connect(dial(HOST))
    with db.cursor() as cur:
        cur.execute(
            "INSERT INTO people (name, email, age, salary, born, seen, raw, active) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                "it's \\",
                "pm@x",
                7,
                Decimal("2.50"),
                date(2024, 2, 29),
                MOMENT,
                b"\0'\\\xff",
                True,
            ),
        )
        told["id"] = cur.lastrowid
        cur.execute(
            "SELECT name, salary, born, seen, raw, active, COUNT(*) FROM people WHERE email = %s GROUP BY id",
            ("pm@x",),
        )
        row = cur.fetchone()
        told["row"] = {
            key: value.hex() if isinstance(value, bytes) else str(value)
            for key, value in row.items()
        }
    db.rollback()
    with db.cursor() as cur:
        told["rolled back"] = cur.execute("SELECT id FROM people WHERE email = 'pm@x'")
        told["many"] = cur.executemany(
            "INSERT INTO teams (id, title) VALUES (%s, %s)", [(10, "X"), (11, "Y")]
        )
        try:
            cur.execute("INSERT INTO teams (id, title) VALUES (10, 'Z')")
        except pymysql.IntegrityError as error:
            told["error"] = error.args[0]
        told["goes on"] = cur.execute("UPDATE teams SET title = 'Q' WHERE id = 11")
    db.commit()
    db.close()
    return told


async def use_streams() -> dict[str, Any]:
    """Speak MySQL's protocol over asyncio's streams, as aiomysql does."""
    from edgelift.worker.moved.servers import dial_streams

    reader, writer = dial_streams(HOST)
    head = await reader.readexactly(4)
    greeting = await reader.readexactly(int.from_bytes(head[:3], "little"))
    body = (0x0000A285).to_bytes(4, "little") + b"\0" * 28 + b"me\0\0"
    writer.write(len(body).to_bytes(3, "little") + b"\1" + body)
    answer = await reader.readexactly(4)
    told = {
        "greeting": greeting[:1].hex(),
        "ok": (await reader.readexactly(int.from_bytes(answer[:3], "little")))[0],
    }
    writer.write(b"\1\0\0\0\1")
    return {**told, "end": (await reader.read()).hex()}


async def use_aiopg() -> dict[str, Any]:
    """Use aiopg over our psycopg2, as its requests do in the Worker."""
    from edgelift.worker.postgres.installing import install as put

    put(("psycopg2",), blocking=True)
    from edgelift.worker.patches import postgres_connections

    postgres_connections.install()
    import aiopg
    import psycopg2

    told: dict[str, Any] = {}
    pool = await aiopg.create_pool("host=db.example.org dbname=main user=me")
    async with pool, pool.acquire() as db, db.cursor() as cur:
        await cur.execute(
            "INSERT INTO teams (id, title) VALUES (%s, %s) RETURNING id, title", (60, "it's")
        )
        told["row"] = list(await cur.fetchone())
        await cur.execute("SELECT id, salary FROM people WHERE id < %s ORDER BY id", (3,))
        told["rows"] = [[row[0], str(row[1])] async for row in cur]
        try:
            await cur.execute("INSERT INTO teams (id, title) VALUES (60, 'twice')")
        except psycopg2.IntegrityError as error:
            told["error"] = error.pgcode
    return told


def use_pg8000() -> dict[str, Any]:
    from edgelift.worker.patches import pg8000_connections

    pg8000_connections.install()
    import pg8000.dbapi
    import pg8000.native

    told: dict[str, Any] = {}
    db = pg8000.dbapi.connect(user="me", host="db.example.org", database="main", password="word")
    cur = db.cursor()
    cur.execute("INSERT INTO teams (id, title) VALUES (%s, %s) RETURNING id, title", (70, "it's"))
    told["row"] = list(cur.fetchone())
    db.rollback()
    cur.execute("SELECT count(*) FROM teams WHERE id = %s", (70,))
    told["rolled back"] = cur.fetchone()[0]
    cur.execute("SELECT salary, tags, made, token FROM people WHERE id = %s", (1,))
    told["types"] = [type(value).__name__ for value in cur.fetchone()]
    try:
        cur.execute("INSERT INTO people (name, email) SELECT name, email FROM people")
    except pg8000.dbapi.DatabaseError as error:
        told["error"] = error.args[0]["C"]
    db.close()
    native = pg8000.native.Connection("me", host="db.example.org", database="main")
    told["native"] = native.run("SELECT id FROM people WHERE id < :most ORDER BY id", most=3)
    native.close()
    return told


async def use_aiomysql() -> dict[str, Any]:
    from edgelift.worker.patches import aiomysql_connections

    aiomysql_connections.install()
    import aiomysql

    told: dict[str, Any] = {}
    pool = await aiomysql.create_pool(host="db.example.org", user="me", db="main", minsize=1)
    async with pool, pool.acquire() as db, db.cursor(aiomysql.DictCursor) as cur:
        told["many"] = await cur.executemany(
            "INSERT INTO teams (id, title) VALUES (%s, %s)", [(80, "it's"), (81, "Y")]
        )
        await cur.execute("SELECT id, title FROM teams WHERE id >= %s ORDER BY id", (80,))
        told["rows"] = await cur.fetchall()
        await db.rollback()
        told["rolled back"] = await cur.execute("SELECT id FROM teams WHERE id >= 80")
        try:
            await cur.execute("INSERT INTO teams (id, title) SELECT id, title FROM teams")
        except aiomysql.IntegrityError as error:
            told["error"] = error.args[0]
    return told


def use_mysqldb() -> dict[str, Any]:
    from edgelift.worker import mysqldb
    from edgelift.worker.patches import pymysql_connections

    mysqldb.install()
    pymysql_connections.install()
    import MySQLdb
    import MySQLdb.cursors

    told: dict[str, Any] = {}
    db = MySQLdb.connect(host="db.example.org", user="me", passwd="word", db="main")
    cur = db.cursor(MySQLdb.cursors.DictCursor)
    told["count"] = cur.execute("INSERT INTO teams (id, title) VALUES (%s, %s)", (90, "it's"))
    cur.execute("SELECT id, title FROM teams WHERE id = %s", (90,))
    told["rows"] = cur.fetchall()
    db.rollback()
    told["rolled back"] = cur.execute("SELECT id FROM teams WHERE id = 90")
    try:
        cur.execute("INSERT INTO teams (id, title) SELECT id, title FROM teams")
    except MySQLdb.IntegrityError as error:
        told["error"] = error.args[0]
    db.close()
    return told


USES = {
    "psycopg2": ("postgresql", use_psycopg2),
    "psycopg": ("postgresql", use_psycopg),
    "asyncpg": ("postgresql", lambda: asyncio.run(use_asyncpg())),
    "pymysql": ("mysql", use_pymysql),
    "aiopg": ("postgresql", lambda: asyncio.run(use_aiopg())),
    "pg8000": ("postgresql", use_pg8000),
    "aiomysql": ("mysql", lambda: asyncio.run(use_aiomysql())),
    "mysqldb": ("mysql", use_mysqldb),
    "streams": ("mysql", lambda: asyncio.run(use_streams())),
}


def main() -> int:
    engine, use = USES[sys.argv[1]]
    with tempfile.TemporaryDirectory() as name:
        replay.make_moved(engine, Path(name))
        if sys.argv[1] in {"psycopg2", "psycopg", "asyncpg"}:
            install(("psycopg2", "asyncpg"), blocking=sys.argv[1] == "psycopg")
        print(json.dumps(use()))
        finding.configure([])
    return 0


if __name__ == "__main__":
    sys.exit(main())
