"""The sqlite3 module: connections in g, statements in helpers, `with connection`."""

import sqlite3

from flask import Flask, abort, g, request

app = Flask(__name__)


def get_db():
    if "db" not in g:
        g.db = sqlite3.connect("app.db")
    return g.db


def execute(statement, values=()):
    return get_db().execute(statement, values)


@app.post("/one")
def one():
    db = get_db()
    db.execute("INSERT INTO item (name) VALUES (?)", (request.json["name"],))
    db.commit()
    return {}


@app.post("/guarded")
def guarded():
    db = get_db()
    try:
        db.execute("INSERT INTO item (name) VALUES (?)", ("x",))
        db.commit()
    except sqlite3.IntegrityError:
        db.rollback()
        return {"error": "taken"}, 409
    return {}


@app.post("/two")
def two():
    db = get_db()
    try:
        execute("INSERT INTO item (name) VALUES (?)", ("x",))
        execute("UPDATE counter SET n = n + 1")
        db.commit()  # <- TXN-MULTI-WRITE
    except sqlite3.Error:
        db.rollback()  # <- TXN-ROLLBACK-LOST
        abort(500)
    return {}


@app.post("/block")
def block():
    connection = get_db()
    with connection:  # <- TXN-BLOCK
        connection.execute("DELETE FROM item")
        connection.execute("DELETE FROM counter")
    return {}


@app.post("/forgotten")
def forgotten():
    get_db().execute("DELETE FROM item")  # <- TXN-UNCOMMITTED
    return {}


@app.post("/locked")
def locked():
    db = get_db()
    db.execute("BEGIN IMMEDIATE")  # <- TXN-LOCK
    count = db.execute("SELECT count(*) FROM item").fetchone()[0]
    if count < 5:
        db.execute("INSERT INTO item (name) VALUES ('x')")
    db.commit()
    return {}


@app.get("/read")
def read():
    return {"rows": get_db().execute("SELECT count(*) FROM item").fetchone()[0]}
