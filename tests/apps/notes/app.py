"""A small notebook: the backend that the scenario tests lift, kill and damage."""

import os
import sqlite3

from flask import Flask, g, jsonify, request

HERE = os.path.dirname(os.path.abspath(__file__))
DATABASE = os.environ.get("NOTES_DB", os.path.join(HERE, "notes.db"))
app = Flask(__name__)


def db():
    if "db" not in g:
        g.db = sqlite3.connect(DATABASE)
        g.db.row_factory = sqlite3.Row
    return g.db


@app.teardown_appcontext
def close(_error):
    if "db" in g:
        g.pop("db").close()


@app.get("/")
def index():
    return jsonify(notes=db().execute("SELECT count(*) FROM note").fetchone()[0])


@app.get("/notes")
def notes():
    limit = request.args.get("limit", "20")
    if not limit.isdigit() or not 1 <= int(limit) <= 100:
        return jsonify(error="limit must be 1 to 100"), 400
    rows = db().execute("SELECT * FROM note ORDER BY id LIMIT ?", (int(limit),)).fetchall()
    return jsonify([dict(row) for row in rows])


@app.get("/notes/<int:note_id>")
def note(note_id):
    row = db().execute("SELECT * FROM note WHERE id = ?", (note_id,)).fetchone()
    if row is None:
        return jsonify(error="no such note"), 404
    return jsonify(dict(row))


@app.post("/notes")
def create():
    body = request.get_json(silent=True) or {}
    if not isinstance(body.get("title"), str) or not body["title"]:
        return jsonify(error="title is missing"), 400
    cursor = db().execute(
        "INSERT INTO note (title, weight) VALUES (?, ?)", (body["title"], body.get("weight"))
    )
    db().commit()
    return jsonify(id=cursor.lastrowid), 201
