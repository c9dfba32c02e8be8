"""Texts and functions that are bound more than once: every definition is read, no name leads in a circle."""

import sqlite3

from flask import Flask, request

app = Flask(__name__)


def get_db():
    return sqlite3.connect("shop.db")


def run(sql, connection):
    sql = sql.strip()
    sql = sql + ";"
    connection.execute(sql)


class Box:
    def __init__(self):
        self.connection = get_db()

    @property
    def size(self):
        return self.connection.execute("SELECT count(*) FROM item").fetchone()

    @size.setter
    def size(self, value):
        self.connection.execute("UPDATE box SET size = ?", (value,))
        self.connection.execute("UPDATE box SET changed = 1")
        self.connection.commit()  # <- TXN-MULTI-WRITE


if request:

    @app.post("/one")
    def one():
        db = get_db()
        db.execute("INSERT INTO item VALUES(1)")
        db.commit()
        return {}

else:

    @app.post("/two")
    def one():
        db = get_db()
        db.execute("INSERT INTO item VALUES(1)")
        db.execute("INSERT INTO item VALUES(2)")
        db.commit()  # <- TXN-MULTI-WRITE
        return {}


@app.get("/read")
def read():
    query = "SELECT * FROM item"
    query = query.replace("*", "id")
    run(query, get_db())
    return {}
