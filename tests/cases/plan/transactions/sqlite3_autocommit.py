"""A connection in autocommit mode has no transactions to lose."""

import sqlite3

from flask import Flask

app = Flask(__name__)
db = sqlite3.connect("app.db", isolation_level=None)


@app.post("/two")
def two():
    db.execute("INSERT INTO item (name) VALUES ('a')")
    db.execute("INSERT INTO item (name) VALUES ('b')")
    return {}


@app.post("/begun")
def begun():
    db.execute("BEGIN")
    db.execute("INSERT INTO item (name) VALUES ('a')")
    db.execute("INSERT INTO item (name) VALUES ('b')")
    db.execute("ROLLBACK")  # <- TXN-ROLLBACK-LOST
    return {}
