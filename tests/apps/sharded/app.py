"""Rows of several firms, shown without any filter: whoever sees another firm's rows was led astray."""

import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, jsonify, request
from sqlalchemy import create_engine, text

app = Flask(__name__)
engine = create_engine(os.environ["DATABASE_URL"], pool_size=1, max_overflow=2)
PATH = os.environ["DATABASE_FILE"]
kept = sqlite3.connect(PATH, isolation_level=None)
bound = {}
pool = ThreadPoolExecutor(max_workers=2)
SEEN = "SELECT firm, note FROM notes ORDER BY id"


def rows(connection):
    return [list(row) for row in connection.execute(text(SEEN))]


@app.get("/all")
def read_all():
    with engine.connect() as connection:
        before = rows(connection)
        time.sleep(0.01)
        return jsonify(before + rows(connection))


@app.get("/kept")
def read_kept():
    return jsonify([list(row) for row in kept.execute(SEEN)])


@app.get("/bound")
def read_bound():
    """What a pool would do whose connections belonged to the shard of who opened them."""
    shard = request.args["shard"]
    if not bound:
        bound["one"] = sqlite3.connect(f"file:{PATH}?shard={shard}", uri=True)
    time.sleep(0.01)
    return jsonify([list(row) for row in bound["one"].execute(SEEN)])


@app.post("/add")
def add():
    with engine.begin() as connection:
        sql = "INSERT INTO notes (firm, note) VALUES (:firm, :note) RETURNING id"
        given = {"firm": request.headers["X-Firm"], "note": request.args["note"]}
        number = connection.execute(text(sql), given).scalar()
        time.sleep(0.01)
    return jsonify(number)


@app.post("/add-and-fail")
def add_and_fail():
    firm = request.headers["X-Firm"]
    with engine.begin() as connection:
        sql = "INSERT INTO notes (firm, note) VALUES (:firm, 'ghost')"
        connection.execute(text(sql), {"firm": firm})
        assert [firm, "ghost"] in rows(connection)
        raise RuntimeError("after the flush")


def read_in_thread():
    with engine.connect() as connection:
        return rows(connection)


@app.get("/pooled")
def read_pooled():
    return jsonify(pool.submit(read_in_thread).result())


@app.get("/thread")
def read_threaded():
    said = []

    def work():
        try:
            said.append(read_in_thread())
        except Exception as error:
            said.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return jsonify(said)


@app.get("/countries")
def read_countries():
    with engine.connect() as connection:
        return jsonify([row[0] for row in connection.execute(text("SELECT name FROM countries"))])


@app.post("/countries")
def add_country():
    try:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO countries VALUES ('it', 'Italy')"))
    except Exception as error:
        return str(error), 409
    return "", 201


def note_all():
    """Write how many notes there are; a scheduled job."""
    with engine.begin() as connection:
        seen = rows(connection)
        firm = seen[0][0]
        sql = "INSERT INTO notes (firm, note) VALUES (:firm, :note)"
        connection.execute(text(sql), {"firm": firm, "note": f"of {len(seen)}"})
