"""An app on a SQL object, deployed with its gateway in another Worker."""

import sqlite3
import time

from flask import Flask, jsonify, request

app = Flask(__name__)
PATH = app.root_path + "/instance/shop.db"
kept = []


def connect(**options):
    return sqlite3.connect(PATH, **options)


@app.get("/all")
def read_all():
    with connect() as db:
        return jsonify(db.execute("SELECT id, name, price, raw IS NULL, big FROM item ORDER BY id").fetchall())


@app.post("/add")
def add():
    db = connect()
    with db:
        for name in request.args.getlist("name"):
            db.execute("INSERT INTO item(name, price, raw, big) VALUES (?, ?, ?, ?)", (name, 0.1, b"\0\xff", 2**60 + 1))
        read = db.execute("SELECT count(*) FROM item").fetchone()[0]
        if request.args.get("fail"):
            raise ValueError("after the writes")
    return jsonify(read, db.execute("SELECT raw FROM item ORDER BY id DESC").fetchone()[0].hex())


@app.post("/savepoint")
def savepoint():
    db = connect(isolation_level=None)
    db.execute("BEGIN")
    db.execute("INSERT INTO item(name) VALUES ('kept')")
    db.execute("SAVEPOINT one")
    db.execute("INSERT INTO item(name) VALUES ('undone')")
    db.execute("ROLLBACK TO one")
    db.execute("COMMIT")
    return "", 204


@app.post("/forget")
def forget():
    """Leave a transaction open, on a connection that lives on."""
    kept.append(connect())
    kept[0].execute("INSERT INTO item(name) VALUES ('forgotten')")
    return "", 204


@app.post("/goon")
def go_on():
    try:
        kept[0].execute("INSERT INTO item(name) VALUES ('later')")
        kept[0].commit()
    except sqlite3.Error as error:
        return f"{type(error).__name__}: {error}"
    return "went on"


@app.post("/hang")
def hang():
    db = connect()
    db.execute("INSERT INTO item(name) VALUES ('hung')")
    time.sleep(float(request.args["s"]))
    try:
        db.commit()
    except sqlite3.OperationalError as error:
        return str(error)
    return "committed"


@app.post("/twice")
def twice():
    """Add one to a number, read first: two at once must both count."""
    db = connect(timeout=20, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    number = db.execute("SELECT price FROM item WHERE id = 1").fetchone()[0]
    time.sleep(0.01)
    db.execute("UPDATE item SET price = ? WHERE id = 1", (number + 1,))
    db.execute("COMMIT")
    return "", 204


@app.post("/wrong")
def wrong():
    db = connect()
    try:
        db.execute("INSERT INTO item(id, name) VALUES (1, 'again')")
    except sqlite3.IntegrityError as error:
        return f"{error.sqlite_errorname}: {error}"
    return "no error"
