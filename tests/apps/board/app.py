"""A notice board: whatever a request writes is one statement, so D1 keeps what the app promises."""

import os

from flask import Flask, abort, jsonify, request
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

app = Flask(__name__)
engine = create_engine(os.environ["DATABASE_URL"])


def show(row):
    return {"id": row.id, "author": row.author, "body": row.body, "likes": row.likes, "open": bool(row.open)}


@app.get("/notices")
def list_notices():
    query = "SELECT id, author, body, likes, open FROM notices"
    given = {}
    if author := request.args.get("author"):
        query += " WHERE author = :author"
        given["author"] = author
    with engine.connect() as db:
        return jsonify([show(row) for row in db.execute(text(query + " ORDER BY id"), given)])


@app.get("/notices/<int(max=2147483647):number>")
def get_notice(number):
    with engine.connect() as db:
        row = db.execute(text("SELECT id, author, body, likes, open FROM notices WHERE id = :id"), {"id": number}).first()
        return jsonify(show(row or abort(404)))


@app.post("/notices")
def post_notice():
    asked = request.get_json()
    if not isinstance(asked, dict) or not all(isinstance(asked.get(name), str) for name in ("author", "body")):
        abort(400)
    try:
        with engine.begin() as db:
            row = db.execute(
                text("INSERT INTO notices (author, body) VALUES (:author, :body) RETURNING id, author, body, likes, open"),
                {"author": asked["author"], "body": asked["body"]},
            ).one()
            return jsonify(show(row)), 201
    except IntegrityError:
        return jsonify(error="said before"), 409


@app.put("/notices/<int(max=2147483647):number>/like")
def like(number):
    with engine.begin() as db:
        done = db.execute(text("UPDATE notices SET likes = likes + 1 WHERE id = :id AND open"), {"id": number})
        return jsonify(done.rowcount), 200 if done.rowcount else 404


@app.delete("/notices/<int(max=2147483647):number>")
def close(number):
    with engine.begin() as db:
        done = db.execute(text("DELETE FROM notices WHERE id = :id"), {"id": number})
        return ("", 204) if done.rowcount else ("", 404)
