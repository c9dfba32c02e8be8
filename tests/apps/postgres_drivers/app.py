"""An ASGI app that keeps a connection or a pool of every PostgreSQL driver there is."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import aiopg
import asyncpg
import psycopg
import psycopg2
import psycopg2.pool
from fastapi import FastAPI, Request
from psycopg_pool import ConnectionPool

URL = os.environ["POSTGRES_URL"].replace("postgresql+pg8000", "postgresql")
early = psycopg2.connect(URL)
early.autocommit = True
kept = {}


@asynccontextmanager
async def lifespan(app):
    app.state.asyncpg = await asyncpg.create_pool(URL, min_size=1, max_size=3)
    app.state.single = await asyncpg.connect(URL)
    app.state.psycopg = ConnectionPool(URL, min_size=2, open=True)
    app.state.psycopg2 = psycopg2.pool.ThreadedConnectionPool(1, 10, URL)
    app.state.aiopg = await aiopg.create_pool(URL, minsize=1, maxsize=3)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/asyncpg")
async def use_asyncpg(request: Request):
    async with request.app.state.asyncpg.acquire() as connection, connection.transaction():
        return await connection.fetchval("select pg_backend_pid()")


@app.get("/asyncpg-single")
async def use_single(request: Request):
    return await request.app.state.single.fetchval("select pg_backend_pid() + $1::int", 0)


@app.get("/psycopg-pool")
def use_psycopg_pool(request: Request):
    with request.app.state.psycopg.connection() as connection:
        return connection.execute("select pg_backend_pid() + %s::int", (0,)).fetchone()[0]


@app.get("/psycopg")
def use_psycopg():
    if "psycopg" not in kept:
        kept["psycopg"] = psycopg.connect(URL, autocommit=True)
    return kept["psycopg"].execute("select pg_backend_pid()").fetchone()[0]


@app.get("/psycopg-async")
async def use_psycopg_async():
    if "async" not in kept:
        kept["async"] = await psycopg.AsyncConnection.connect(URL)
    cursor = await kept["async"].execute("select pg_backend_pid()")
    return (await cursor.fetchone())[0]


@app.get("/psycopg2")
def use_psycopg2():
    with early.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        assert early.autocommit
        return cursor.fetchone()[0]


@app.get("/psycopg2-pool")
def use_psycopg2_pool(request: Request):
    pool = request.app.state.psycopg2
    connection = pool.getconn()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            return cursor.fetchone()[0]
    finally:
        pool.putconn(connection)


@app.get("/aiopg")
async def use_aiopg():
    if "aiopg" not in kept:
        kept["aiopg"] = await aiopg.connect(URL)
    async with kept["aiopg"].cursor() as cursor:
        await cursor.execute("select pg_backend_pid()")
        return (await cursor.fetchone())[0]


@app.get("/aiopg-pool")
async def use_aiopg_pool(request: Request):
    async with request.app.state.aiopg.acquire() as connection:
        async with connection.cursor() as cursor:
            async with cursor.begin():
                await cursor.execute("select pg_backend_pid() + %s", (0,))
                return (await cursor.fetchone())[0]


@app.post("/aiopg-words/{first}/{second}")
async def write_by_aiopg(request: Request, first: str, second: str):
    """Two words in a transaction; of two equal ones nothing stays."""
    async with request.app.state.aiopg.acquire() as connection:
        async with connection.cursor() as cursor:
            try:
                async with cursor.begin():
                    await cursor.execute("insert into words values (%s, now())", (first,))
                    await cursor.execute("insert into words values (%s, now())", (second,))
            except psycopg2.IntegrityError as error:
                return {"refused": error.pgcode}
            await cursor.execute("select word from words order by word")
            return [word async for (word,) in cursor]


@app.get("/aiopg-together")
async def wait_together_by_aiopg(request: Request, times: int = 3, s: float = 0.4):
    """Several statements at once, each on a connection of its own; the longest one decides."""
    started = time.monotonic()

    async def ask(number):
        async with request.app.state.aiopg.acquire() as connection:
            async with connection.cursor() as cursor:
                await cursor.execute("select %s, pg_sleep(%s)", (number, s))
                return (await cursor.fetchone())[0]

    found = await asyncio.gather(*(ask(number) for number in range(times)))
    return {"found": found, "elapsed": time.monotonic() - started}
