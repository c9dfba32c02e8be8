"""A backend for the soak: routes that wait for the database inside and leave cyclic garbage behind."""

import os
import sqlite3

from flask import Flask, jsonify

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soak.db")
app = Flask(__name__)


class Node:
    """An object that refers to itself, so that only the cycle collector can free it."""

    def __init__(self):
        self.itself = self
        self.siblings = [self]


def leave_garbage(count):
    """Allocate `count` cycles and drop them."""
    for _ in range(count):
        Node()


@app.get("/plain")
def plain():
    return "ok"


@app.get("/wait")
def wait():
    total = 0
    with sqlite3.connect(PATH) as db:
        for step in range(3):
            leave_garbage(300)
            row = db.execute(
                "SELECT count(*), sum(value) FROM item WHERE id > ?", (step,)
            ).fetchone()
            total += row[0]
    db.close()
    return jsonify(total=total)


@app.post("/count")
def count():
    db = sqlite3.connect(PATH)
    leave_garbage(300)
    db.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
    db.commit()
    db.close()
    return jsonify(ok=True)


@app.get("/count")
def read_count():
    db = sqlite3.connect(PATH)
    n = db.execute("SELECT n FROM counter").fetchone()[0]
    db.close()
    return jsonify(n=n)
