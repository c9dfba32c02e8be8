"""Parcels in depots on PyMySQL alone: transactions that must roll back, upserts, the driver's errors."""

import os
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from urllib.parse import unquote, urlsplit

import pymysql
import pymysql.cursors
from flask import Flask, abort, jsonify, request

app = Flask(__name__)


def connect():
    url = urlsplit(os.environ["DATABASE_URL"])
    return pymysql.connect(
        host=url.hostname, port=url.port or 3306, user=url.username, database=url.path[1:],
        password=unquote(url.password or ""), cursorclass=pymysql.cursors.DictCursor,
        sql_mode="STRICT_TRANS_TABLES",
    )  # fmt: skip


def plain(row):
    return {
        key: str(value) if isinstance(value, Decimal) else
        value.isoformat() if hasattr(value, "isoformat") else
        value.hex() if isinstance(value, bytes) else value
        for key, value in row.items()
    }


@app.errorhandler(pymysql.IntegrityError)
def refuse(error):
    return jsonify(error=type(error).__name__, code=error.args[0]), 409


@app.errorhandler(pymysql.DataError)
def reject(error):
    return jsonify(error="DataError", code=error.args[0], message=error.args[1]), 400


@app.get("/parcels")
def list_parcels():
    with closing(connect()) as db, db.cursor() as cur:
        cur.execute(
            "SELECT p.*, d.city FROM parcels p JOIN depots d ON d.id = p.depot_id"
            " WHERE p.code LIKE %s ORDER BY p.status, p.id LIMIT %s",
            (request.args.get("code", "") + "%", 50),
        )
        return jsonify([plain(row) for row in cur.fetchall()])


@app.get("/depots/<int:depot_id>")
def get_depot(depot_id):
    with closing(connect()) as db, db.cursor() as cur:
        cur.execute(
            "SELECT d.city, d.capacity, COUNT(p.id) AS parcels, COALESCE(SUM(p.weight), 0) AS weight,"
            " AVG(p.weight) AS mean, IFNULL(MAX(p.sent), '2000-01-01') > '2024-01-01' AS busy"
            " FROM depots d LEFT JOIN parcels p ON p.depot_id = d.id WHERE d.id = %s GROUP BY d.id, d.city, d.capacity",
            depot_id,
        )
        return jsonify(plain(cur.fetchone() or abort(404)))


@app.post("/parcels")
def add_parcel():
    asked = request.get_json()
    with closing(connect()) as db:
        with db.cursor() as cur:
            cur.execute("SELECT capacity FROM depots WHERE id = %s FOR UPDATE", (asked.get("depot"),))
            depot = cur.fetchone()
            cur.execute(
                "INSERT INTO parcels (depot_id, code, weight, fragile, sent, label) VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    asked.get("depot"), asked.get("code"), Decimal(str(asked.get("weight", "1"))),
                    bool(asked.get("fragile")), datetime(2024, 6, 1, 12, 30), b"\x00'\\label",
                ),  # fmt: skip
            )
            made = cur.lastrowid
            cur.execute("SELECT COUNT(*) FROM parcels WHERE depot_id = %s", (asked.get("depot"),))
            if depot is None or cur.fetchone()["COUNT(*)"] > depot["capacity"]:
                db.rollback()
                return jsonify(error="full"), 409
        db.commit()
        return jsonify(id=made), 201


@app.post("/moves")
def move():
    """Move parcels one by one; those that cannot be moved stay, the others are moved."""
    asked = request.get_json()
    moved, failed = 0, []
    with closing(connect()) as db:
        with db.cursor() as cur:
            for code in asked.get("codes", []):
                try:
                    moved += cur.execute(
                        "UPDATE parcels SET depot_id = %s, status = %s WHERE code = %s",
                        (asked.get("to"), asked.get("status", "moving"), code),
                    )
                except pymysql.Error as error:
                    failed.append([code, error.args[0]])
        db.commit()
    return jsonify(moved=moved, failed=failed)


@app.put("/depots/<city>")
def put_depot(city):
    with closing(connect()) as db:
        with db.cursor() as cur:
            count = cur.execute(
                "INSERT INTO depots (city, capacity) VALUES (%s, %s) ON DUPLICATE KEY UPDATE capacity = VALUES(capacity)",
                (city, request.get_json().get("capacity", 1)),
            )
            cur.execute("SELECT * FROM depots WHERE city = %s", (city,))
            row = cur.fetchone()
        db.commit()
        return jsonify(count=count, depot=row)


@app.delete("/parcels/<code>")
def remove(code):
    with closing(connect()) as db:
        with db.cursor() as cur:
            count = cur.execute("DELETE FROM parcels WHERE code = %s", (code,))
        db.commit()
        return "", 204 if count else 404
