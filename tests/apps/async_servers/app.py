"""An ASGI app that keeps a pool of aiomysql from its start, and speaks to PostgreSQL by streams."""

import asyncio
import os
import struct
import time
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiomysql
from fastapi import FastAPI, Request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, MissingGreenlet, StatementError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.schema import ForeignKey
from sqlalchemy.types import String

MYSQL = urlsplit(os.environ["MYSQL_URL"])
engine = create_async_engine(
    os.environ["MYSQL_URL"].replace("mysql+pymysql", "mysql+aiomysql"), pool_size=2, max_overflow=0
)
open_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(50))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


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


@app.post("/tables")
async def make_tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)


@app.post("/authors/{name}")
async def add_author(name: str, fail: bool = False):
    async with open_session() as session:
        try:
            async with session.begin():
                author = Author(name=name, books=[Book(title=f"{name} {n}") for n in range(2)])
                session.add(author)
                await session.flush()
                if fail:
                    session.add(Author(name=name))
                    await session.flush()
        except IntegrityError as error:
            return {"error": type(error.orig).__name__}
        return {"id": author.id}


@app.get("/authors")
async def list_authors():
    async with open_session() as session:
        authors = (await session.scalars(select(Author).order_by(Author.id))).all()
        return {a.name: a.id for a in authors}


@app.get("/lazy")
async def load_lazily():
    async with open_session() as session:
        author = (await session.scalars(select(Author).limit(1))).one()
        try:
            return [book.title for book in author.books]
        except (MissingGreenlet, StatementError):
            return "refused"


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
