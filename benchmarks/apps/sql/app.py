"""Database work for the SQL benchmark: loops that time themselves, and one transaction per request."""

import os
import sqlite3
import time

from flask import Flask, jsonify

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sql.db")
app = Flask(__name__)


def open_database():
    return sqlite3.connect(PATH, timeout=30)


def pk_select(db, number):
    db.execute("SELECT * FROM item WHERE id = ?", (number % 2000 + 1,)).fetchone()


def rows_500(db, number):
    assert len(db.execute("SELECT * FROM item ORDER BY id LIMIT 500").fetchall()) == 500


def insert_commit(db, number):
    db.execute("INSERT INTO entry(text) VALUES(?)", (f"entry {number}",))
    db.commit()


def five_inserts(db, number):
    for part in range(5):
        db.execute("INSERT INTO entry(text) VALUES(?)", (f"entry {number}.{part}",))
    db.commit()


WORK = {f.__name__: f for f in (pk_select, rows_500, insert_commit, five_inserts)}


@app.get("/loop/<name>/<int:times>")
def loop(name, times):
    """Mean milliseconds of one piece of work, the first one aside."""
    db = open_database()
    WORK[name](db, 0)
    started = time.perf_counter()
    for number in range(times):
        WORK[name](db, number)
    ms = (time.perf_counter() - started) * 1000 / times
    db.close()
    return jsonify(ms=ms)


@app.post("/transfer")
def transfer():
    """A transaction of two statements."""
    db = open_database()
    db.execute("INSERT INTO entry(text) VALUES('transfer')")
    db.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
    db.commit()
    db.close()
    return "ok"


@app.get("/state")
def state():
    db = open_database()
    entries = db.execute("SELECT count(*) FROM entry WHERE text = 'transfer'").fetchone()[0]
    counter = db.execute("SELECT n FROM counter").fetchone()[0]
    db.close()
    return jsonify(entries=entries, counter=counter)
