"""A savings bank on psycopg2 alone: pools, cursors of several kinds, transactions, the driver's errors."""

import io
import os
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

import psycopg2
import psycopg2.extras
from flask import Flask, Response, abort, jsonify, request
from psycopg2 import errors, sql
from psycopg2.pool import ThreadedConnectionPool

app = Flask(__name__)
pool = ThreadedConnectionPool(1, 5, os.environ["DATABASE_URL"])
psycopg2.extras.register_uuid()


@contextmanager
def connection():
    conn = pool.getconn()
    try:
        with conn:
            yield conn
    finally:
        pool.putconn(conn)


@contextmanager
def cursor(factory=psycopg2.extras.RealDictCursor):
    with connection() as conn, conn.cursor(cursor_factory=factory) as cur:
        yield cur


def plain(row):
    return {
        key: str(value) if isinstance(value, Decimal) else
        value.isoformat() if hasattr(value, "isoformat") else
        str(value) if key.endswith("id") and not isinstance(value, int) else value
        for key, value in row.items()
    }


@app.errorhandler(psycopg2.IntegrityError)
def refuse(error):
    return jsonify(
        error=type(error).__name__, code=error.pgcode, constraint=error.diag.constraint_name,
        table=error.diag.table_name, message=error.diag.message_primary,
    ), 409  # fmt: skip


@app.errorhandler(psycopg2.DataError)
def reject(error):
    return jsonify(error=type(error).__name__, message=str(error).splitlines()[0]), 400


@app.get("/owners")
def list_owners():
    with cursor() as cur:
        cur.execute(
            "SELECT id, name, email, born, phones, prefers FROM owners"
            " WHERE name LIKE %s ORDER BY email LIMIT 20",
            (request.args.get("name", "") + "%",),
        )
        return jsonify([plain(row) for row in cur])


@app.post("/owners")
def add_owner():
    asked = request.get_json()
    with cursor() as cur:
        cur.execute(
            "INSERT INTO owners (name, email, born, phones, prefers)"
            " VALUES (%(name)s, %(email)s, %(born)s, %(phones)s, %(prefers)s) RETURNING name, email, born, phones",
            {
                "name": asked.get("name"), "email": asked.get("email"), "born": asked.get("born"),
                "phones": asked.get("phones", []), "prefers": psycopg2.extras.Json(asked.get("prefers", {})),
            },  # fmt: skip
        )
        return jsonify(plain(cur.fetchone())), 201


@app.get("/accounts")
def list_accounts():
    with cursor() as cur:
        cur.execute("""
            SELECT a.id, a.number, a.kind, a.balance, a.open, a.opened_at, o.name AS owner,
                   count(b.id) AS bookings, max(b.booked_at) AS last
            FROM accounts a
            JOIN owners o ON o.id = a.owner_id
            LEFT JOIN bookings b ON b.account_id = a.id
            GROUP BY a.id, o.name
            ORDER BY a.kind, a.number
        """)
        return jsonify([plain(row) for row in cur.fetchall()])


@app.get("/accounts/<int:account_id>")
def get_account(account_id):
    with cursor() as cur:
        cur.execute("SELECT * FROM accounts WHERE id = %s", (account_id,))
        found = cur.fetchone() or abort(404)
        cur.execute(
            "SELECT id, amount, coalesce(note, '-') AS note, booked_at, tags, amount > 0 AS credit FROM bookings"
            " WHERE account_id = %s ORDER BY booked_at DESC, id DESC",
            (account_id,),
        )
        found.pop("owner_id")
        return jsonify(account=plain(found), bookings=[plain(row) for row in cur])


@app.post("/accounts")
def open_account():
    asked = request.get_json()
    with cursor() as cur:
        cur.execute(
            "INSERT INTO accounts (owner_id, kind, number, balance, opened_at)"
            " SELECT id, %s, %s, %s, %s FROM owners WHERE email = %s RETURNING id, number, kind, balance",
            (
                asked.get("kind", "everyday"), asked.get("number"), Decimal(str(asked.get("balance", 0))),
                datetime(2024, 6, 1, 12), asked.get("email"),
            ),  # fmt: skip
        )
        row = cur.fetchone()
        return (jsonify(plain(row)), 201) if row else (jsonify(error="no such owner"), 404)


def book(cur, account_id, amount, note, tags=()):
    cur.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s AND open", (amount, account_id))
    if cur.rowcount != 1:
        raise LookupError(account_id)
    cur.execute(
        "INSERT INTO bookings (account_id, amount, note, booked_at, tags) VALUES (%s, %s, %s, %s, %s) RETURNING id",
        (account_id, amount, note, datetime(2024, 6, 1, 12, 30, 0, 250000), list(tags)),
    )
    return cur.fetchone()["id"]


@app.post("/transfers")
def transfer():
    asked = request.get_json()
    amount = Decimal(str(asked.get("amount", 0)))
    try:
        with cursor() as cur:
            cur.execute(
                "SELECT id FROM accounts WHERE id IN %s ORDER BY id FOR UPDATE",
                ((asked.get("from", 0), asked.get("to", 0)),),
            )
            ids = [
                book(cur, asked.get("from", 0), -amount, asked.get("note"), ["transfer"]),
                book(cur, asked.get("to", 0), amount, asked.get("note"), ["transfer"]),
            ]
        return jsonify(bookings=ids), 201
    except LookupError as error:
        return jsonify(error="no open account", account=error.args[0]), 404
    except errors.CheckViolation as error:
        return jsonify(error="not enough money", constraint=error.diag.constraint_name), 409


@app.post("/bookings")
def book_many():
    """Book each line in a savepoint: those that fail are told, the others stay."""
    done, failed = [], []
    with cursor() as cur:
        for line in request.get_json().get("lines", []):
            cur.execute("SAVEPOINT line")
            try:
                done.append(book(cur, line[0], Decimal(str(line[1])), line[2] if len(line) > 2 else None))
                cur.execute("RELEASE SAVEPOINT line")
            except (psycopg2.Error, LookupError) as error:
                cur.execute("ROLLBACK TO SAVEPOINT line")
                failed.append([line[0], getattr(error, "pgcode", None)])
    return jsonify(done=done, failed=failed)


@app.post("/imports")
def import_bookings():
    rows = [(r[0], Decimal(str(r[1])), r[2], datetime(2024, 5, 5)) for r in request.get_json().get("rows", [])]
    with cursor() as cur:
        made = psycopg2.extras.execute_values(
            cur, "INSERT INTO bookings (account_id, amount, note, booked_at) VALUES %s RETURNING id, amount", rows, fetch=True
        ) if rows else []  # fmt: skip
    return jsonify([plain(row) for row in made]), 201


@app.put("/owners/<email>/prefers")
def set_prefers(email):
    with cursor() as cur:
        cur.execute(
            "INSERT INTO owners (name, email, prefers) VALUES (%s, %s, %s) ON CONFLICT (email)"
            " DO UPDATE SET prefers = EXCLUDED.prefers RETURNING prefers, prefers->>'language' AS language",
            (email, email, psycopg2.extras.Json(request.get_json())),
        )
        return jsonify(cur.fetchone())


@app.get("/statistics")
def statistics():
    with cursor(psycopg2.extras.NamedTupleCursor) as cur:
        cur.execute(
            "SELECT date_trunc('month', booked_at) AS month, sum(amount) AS total, avg(amount) AS mean, count(*) AS n"
            " FROM bookings GROUP BY 1 ORDER BY 1"
        )
        months = [[row.month.isoformat(), str(row.total), str(row.mean), row.n] for row in cur.fetchall()]
        cur.execute("SELECT count(*) FILTER (WHERE 'income' = ANY(tags)), bool_and(booked_at < now()) FROM bookings")
        income, past = cur.fetchone()
        cur.execute(
            sql.SQL("SELECT {column}, count(*) FROM {table} GROUP BY {column} ORDER BY {column}").format(
                column=sql.Identifier("kind"), table=sql.Identifier("accounts")
            )
        )
        return jsonify(months=months, income=income, past=past, kinds=[list(row) for row in cur])


@app.get("/export")
def export():
    with connection() as conn, conn.cursor("export") as cur:
        cur.itersize = 2
        cur.execute("SELECT number, balance FROM accounts ORDER BY number")
        lines = [f"{number};{balance}" for number, balance in cur]
        with conn.cursor() as other:
            target = io.StringIO()
            other.copy_expert("COPY (SELECT id, amount, note FROM bookings ORDER BY id) TO STDOUT WITH CSV HEADER", target)
    return Response("\n".join(lines) + "\n" + target.getvalue(), mimetype="text/plain")


@app.get("/search")
def search():
    clauses, values = ["TRUE"], []
    for name, clause in (("min", "amount >= %s"), ("note", "note ILIKE %s"), ("since", "booked_at >= %s")):
        if request.args.get(name):
            clauses.append(clause)
            values.append(request.args[name])
    with cursor(psycopg2.extras.DictCursor) as cur:
        cur.execute(f"SELECT id, amount FROM bookings WHERE {' AND '.join(clauses)} ORDER BY id", values)
        return jsonify([[row["id"], str(row["amount"])] for row in cur.fetchall()])


@app.delete("/accounts/<int:account_id>")
def close_account(account_id):
    with cursor() as cur:
        cur.execute("DELETE FROM accounts WHERE id = %s AND balance = 0", (account_id,))
        return ("", 204) if cur.rowcount else (jsonify(error="not empty or not there"), 409)


@app.delete("/owners/<email>")
def remove_owner(email):
    with cursor() as cur:
        cur.execute("DELETE FROM owners WHERE email = %s", (email,))
        return "", 204 if cur.rowcount else 404
