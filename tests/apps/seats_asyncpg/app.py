"""Seats of a theatre on asyncpg alone: a pool, prepared statements, nested transactions, its errors."""

import json
import os
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from decimal import Decimal

import asyncpg
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel


class Show(BaseModel):
    title: str
    price: Decimal
    tags: list[str] = []
    seats: list[int] = []
    info: dict = {}


class Booking(BaseModel):
    holder: str
    numbers: list[int]
    all: bool = False


@asynccontextmanager
async def lifespan(app):
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(asyncpg.IntegrityConstraintViolationError)
async def refuse(_request, error):
    told = {"error": type(error).__name__, "code": error.sqlstate, "constraint": error.constraint_name}
    return JSONResponse(told, 409)


def plain(record):
    return {
        key: str(value) if isinstance(value, Decimal) else
        value.isoformat() if isinstance(value, datetime) else value
        for key, value in dict(record).items()
    }


@app.get("/shows")
async def list_shows(request: Request, tag: str = ""):
    async with request.app.state.pool.acquire() as db:
        rows = await db.fetch(
            "SELECT id, title, starts, price, tags, info->'hall'->>'name' AS hall FROM shows"
            " WHERE $1 = '' OR $1 = ANY(tags) ORDER BY starts",
            tag,
        )
        return [plain(row) for row in rows]


@app.get("/shows/{show_id}")
async def get_show(request: Request, show_id: int):
    async with request.app.state.pool.acquire() as db:
        show = await db.fetchrow("SELECT title, price, info FROM shows WHERE id = $1", show_id)
        if show is None:
            raise HTTPException(404)
        free = await db.fetchval(
            "SELECT count(*) FROM seats WHERE show_id = $1 AND holder IS NULL", show_id
        )
        taken = await db.fetch(
            "SELECT number, holder, booked_at FROM seats WHERE show_id = $1 AND holder IS NOT NULL"
            " ORDER BY number", show_id
        )  # fmt: skip
        return {**plain(show), "info": json.loads(show["info"]), "free": free, "taken": [plain(row) for row in taken]}


@app.post("/shows", status_code=201)
async def add_show(request: Request, asked: Show):
    async with request.app.state.pool.acquire() as db, db.transaction():
        made = await db.fetchval(
            "INSERT INTO shows (title, starts, price, tags, info) VALUES ($1, $2, $3, $4, $5) RETURNING id",
            asked.title, datetime(2031, 1, 1, tzinfo=timezone.utc), asked.price, asked.tags,
            json.dumps(asked.info),
        )  # fmt: skip
        numbers = [(made, number) for number in asked.seats]
        await db.executemany("INSERT INTO seats (show_id, number) VALUES ($1, $2)", numbers)
        return {"id": made, "seats": len(numbers)}


@app.post("/shows/{show_id}/bookings")
async def book(request: Request, show_id: int, asked: Booking):
    """Book the seats that are free, each in a transaction of its own inside that of all."""
    done = []
    async with request.app.state.pool.acquire() as db, db.transaction():
        for number in asked.numbers:
            try:
                async with db.transaction():
                    row = await db.fetchrow(
                        "SELECT id, holder FROM seats WHERE show_id = $1 AND number = $2 FOR UPDATE", show_id, number
                    )
                    if row is None or row["holder"] is not None:
                        raise LookupError(number)
                    status = await db.execute(
                        "UPDATE seats SET holder = $1, booked_at = $3 WHERE id = $2",
                        asked.holder, row["id"], datetime(2024, 6, 1, 8, 0, 0, 500, tzinfo=timezone.utc),
                    )  # fmt: skip
                    done.append([number, status])
            except LookupError:
                continue
        if asked.all and len(done) < len(asked.numbers):
            raise HTTPException(409, "not all are free")
    return {"done": done}


@app.delete("/shows/{show_id}")
async def remove(request: Request, show_id: int):
    async with request.app.state.pool.acquire() as db:
        return {"status": await db.execute("DELETE FROM shows WHERE id = $1", show_id)}
