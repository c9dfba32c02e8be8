"""A guestbook on MySQL with PyMySQL and plain SQL: one connection that the module keeps."""

import os
from urllib.parse import unquote, urlsplit

import pymysql
from flask import Flask, g, jsonify, request

app = Flask(__name__)
url = urlsplit(os.environ["DATABASE_URL"])


def connect():
    return pymysql.connect(
        host=url.hostname,
        port=url.port or 3306,
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        database=url.path.lstrip("/"),
        charset="utf8mb4",
        cursorclass=pymysql.cursors.DictCursor,
    )


def database():
    if "db" not in g:
        g.db = connect()
    return g.db


_counter = None


def count_visit():
    """Count through a connection of the module's own, opened once."""
    global _counter
    if _counter is None:
        _counter = connect()
        _counter.autocommit(True)
    with _counter.cursor() as cursor:
        cursor.execute("UPDATE visits SET number = number + 1 WHERE page = 'all'")
        cursor.execute("SELECT number FROM visits WHERE page = 'all'")
        return cursor.fetchone()["number"]


@app.get("/")
def index():
    return jsonify(visits=count_visit())


@app.get("/entries")
def entries():
    with database().cursor() as cursor:
        cursor.execute(
            "SELECT e.id, e.author, e.body, e.mood, e.rating, count(r.id) AS replies "
            "FROM entries e LEFT JOIN replies r ON r.entry_id = e.id "
            "GROUP BY e.id ORDER BY e.id"
        )
        return jsonify([{**row, "rating": str(row["rating"])} for row in cursor.fetchall()])


@app.post("/entries")
def write():
    asked = request.get_json()
    db = database()
    try:
        with db.cursor() as cursor:
            cursor.execute(
                "INSERT INTO entries (author, body, mood, rating) VALUES (%s, %s, %s, %s)",
                (asked["author"], asked["body"], asked.get("mood", "calm"), asked.get("rating", "3.5")),
            )
            entry = cursor.lastrowid
            for text in asked.get("replies", []):
                cursor.execute("INSERT INTO replies (entry_id, body) VALUES (%s, %s)", (entry, text))
    except pymysql.err.MySQLError as error:
        db.rollback()
        return jsonify(code=error.args[0]), 400
    db.commit()
    return jsonify(id=entry), 201


@app.teardown_appcontext
def close(_error):
    db = g.pop("db", None)
    if db is not None:
        db.close()
