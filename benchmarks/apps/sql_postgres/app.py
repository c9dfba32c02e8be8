"""The SQL benchmark's work on PostgreSQL, as apps/sql does it on SQLite."""

import os
import time

import psycopg2
from flask import Flask, jsonify

app = Flask(__name__)


def open_database():
    return psycopg2.connect(os.environ["DATABASE_URL"])


def pk_select(db, number):
    cursor = db.cursor()
    cursor.execute("SELECT * FROM item WHERE id = %s", (number % 2000 + 1,))
    cursor.fetchone()


def rows_500(db, number):
    cursor = db.cursor()
    cursor.execute("SELECT * FROM item ORDER BY id LIMIT 500")
    assert len(cursor.fetchall()) == 500


def insert_commit(db, number):
    db.cursor().execute("INSERT INTO entry(text) VALUES(%s)", (f"entry {number}",))
    db.commit()


def five_inserts(db, number):
    cursor = db.cursor()
    for part in range(5):
        cursor.execute("INSERT INTO entry(text) VALUES(%s)", (f"entry {number}.{part}",))
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
    cursor = db.cursor()
    cursor.execute("INSERT INTO entry(text) VALUES('transfer')")
    cursor.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
    db.commit()
    db.close()
    return "ok"


@app.get("/state")
def state():
    db = open_database()
    cursor = db.cursor()
    cursor.execute("SELECT count(*) FROM entry WHERE text = 'transfer'")
    entries = cursor.fetchone()[0]
    cursor.execute("SELECT n FROM counter")
    counter = cursor.fetchone()[0]
    db.close()
    return jsonify(entries=entries, counter=counter)
