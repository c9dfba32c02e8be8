"""An ASGI app that keeps a pool of aiomysql from its start, and speaks to PostgreSQL by streams."""

import asyncio
import os
import struct
import time
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiomysql
from fastapi import FastAPI, Request

MYSQL = urlsplit(os.environ["MYSQL_URL"])


@asynccontextmanager
async def lifespan(app):
    app.state.pool = await aiomysql.create_pool(
        host=MYSQL.hostname,
        port=MYSQL.port,
        user=unquote(MYSQL.username),
        password=unquote(MYSQL.password or ""),
        db=MYSQL.path.lstrip("/"),
        autocommit=True,
        minsize=1,
        maxsize=3,
    )
    yield
    app.state.pool.close()


app = FastAPI(lifespan=lifespan)


async def ask(pool, statement, *values):
    async with pool.acquire() as connection, connection.cursor() as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()


@app.get("/pool")
async def use_pool(request: Request):
    return (await ask(request.app.state.pool, "select 1 + 1, connection_id()"))[0]


@app.get("/together")
async def together(request: Request):
    started = time.monotonic()
    pool = request.app.state.pool
    await asyncio.gather(*(ask(pool, "select sleep(%s)", 0.4) for _ in range(3)))
    return {"elapsed": time.monotonic() - started}


@app.get("/sleep")
async def sleep(request: Request, s: float = 0.5):
    started = time.monotonic()
    await ask(request.app.state.pool, "select sleep(%s)", s)
    return {"elapsed": time.monotonic() - started}


@app.get("/timeout")
async def time_out(request: Request):
    try:
        await asyncio.wait_for(ask(request.app.state.pool, "select sleep(5)"), 0.3)
    except asyncio.TimeoutError:
        return "timed out"
    return "no end"


@app.get("/starttls")
async def start_tls(host: str, port: int, name: str = ""):
    """Ask a PostgreSQL for TLS as its clients do, and read its first message through it."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(struct.pack("!II", 8, 80877103))
        await writer.drain()
        answer = (await reader.readexactly(1)).decode()
        if answer != "S":
            return {"answer": answer}
        import ssl

        await writer.start_tls(ssl.create_default_context(), server_hostname=name or host)
        body = struct.pack("!I", 196608) + b"user\0nobody\0database\0nothing\0\0"
        writer.write(struct.pack("!I", len(body) + 4) + body)
        kind = (await reader.readexactly(1)).decode()
        return {"answer": answer, "first": kind}
    except OSError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        writer.close()
