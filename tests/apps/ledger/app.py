"""A small ledger with everything that makes parity hard: ids, tokens, times, writes, a page, a job."""

import gzip
import os
import secrets
import sqlite3
import uuid
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, abort, g, jsonify, request

ROOT = Path(__file__).resolve().parent
app = Flask(__name__)
app.json.sort_keys = False


def db() -> sqlite3.Connection:
    if "db" not in g:
        path = os.environ.get("LEDGER_DB", str(ROOT / "data" / "ledger.db"))
        g.db = sqlite3.connect(path)
        g.db.row_factory = sqlite3.Row
    return g.db


@app.teardown_appcontext
def close(_error):
    if "db" in g:
        g.pop("db").close()


@app.after_request
def compress(response):
    if "gzip" in request.headers.get("Accept-Encoding", "") and response.mimetype == "text/html":
        response.set_data(gzip.compress(response.get_data(), mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    return response


def now() -> str:
    return datetime.now(UTC).isoformat()


def show(row) -> dict:
    return {
        "id": row["id"],
        "name": row["name"],
        "price": row["price"],
        "tags": row["tags"].split(),
    }


@app.get("/")
def index():
    rows = db().execute("SELECT * FROM items ORDER BY id LIMIT 3").fetchall()
    lines = "\n".join(f"<li>{row['name']}</li>" for row in rows)
    return f"<html>\n<h1>Ledger</h1>\n<p>made at {now()}</p>\n<ul>\n{lines}\n</ul>\n</html>\n"


@app.get("/api/items")
def items():
    page = request.args.get("page", 1, type=int)
    if page < 1:
        return jsonify(error="page must be positive"), 400
    rows = db().execute("SELECT * FROM items ORDER BY id LIMIT 5 OFFSET ?", ((page - 1) * 5,))
    found = [show(row) for row in rows]
    return jsonify(
        items=found, page=page, total=db().execute("SELECT count(*) FROM items").fetchone()[0]
    )


@app.get("/api/items/<int:item_id>")
def item(item_id):
    row = db().execute("SELECT * FROM items WHERE id=?", (item_id,)).fetchone()
    if row is None:
        abort(404)
    return jsonify(**show(row), asked_at=now())


@app.post("/api/items")
def create():
    body = request.get_json()
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        return jsonify(error="name is missing"), 400
    cursor = db().execute(
        "INSERT INTO items(name, price, tags, created_at) VALUES (?,?,?,?)",
        (body["name"], float(len(body["name"])) / 7, "new", now()),
    )
    db().commit()
    return jsonify(id=cursor.lastrowid, name=body["name"]), 201


@app.post("/api/orders")
def order():
    key, token = str(uuid.uuid4()), secrets.token_urlsafe(24)
    db().execute("INSERT INTO orders VALUES (?,?,?)", (key, token, now()))
    db().commit()
    reply = jsonify(order=key, token=token)
    reply.set_cookie("order", key, httponly=True, samesite="Lax")
    return reply, 201


@app.get("/api/orders/<uuid:key>")
def read_order(key):
    row = db().execute("SELECT * FROM orders WHERE id=?", (str(key),)).fetchone()
    if row is None:
        abort(404)
    if request.headers.get("Authorization") != f"Bearer {row['token']}":
        abort(401)
    return jsonify(order=row["id"], cookie=request.cookies.get("order"))


def settle() -> None:
    path = os.environ.get("LEDGER_DB", str(ROOT / "data" / "ledger.db"))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE items SET tags = tags || ' settled', created_at = ?", (now(),))
    connection.commit()
    connection.close()
