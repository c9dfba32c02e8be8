"""A small bank that relies on its transactions: transfers, rollbacks, savepoints, rows that must not stay."""

import os
import sqlite3
from pathlib import Path

from flask import Flask, abort, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError

ROOT = Path(__file__).resolve().parent
FILE = os.environ.get("BANK_DB", str(ROOT / "data" / "bank.db"))
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{FILE}"
db = SQLAlchemy(app)


class Account(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    owner = db.Column(db.String, nullable=False, unique=True)
    balance = db.Column(db.Integer, db.CheckConstraint("balance >= 0"), nullable=False)


class Entry(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    account_id = db.Column(db.ForeignKey("account.id"), nullable=False)
    amount = db.Column(db.Integer, nullable=False)
    note = db.Column(db.String)


def show(account):
    return {"id": account.id, "owner": account.owner, "balance": account.balance}


def find(account_id):
    account = db.session.get(Account, account_id)
    return account if account is not None else abort(404)


def book(account, amount, note):
    account.balance = Account.balance + amount  # in SQL: what was read may be old
    db.session.add(Entry(account_id=account.id, amount=amount, note=note))
    db.session.flush()


@app.get("/api/accounts")
def accounts():
    found = db.session.execute(db.select(Account).order_by(Account.id).limit(20)).scalars()
    return jsonify([show(account) for account in found])


@app.get("/api/accounts/<int:account_id>")
def account(account_id):
    entries = db.session.execute(
        db.select(Entry).where(Entry.account_id == account_id).order_by(Entry.id)
    ).scalars()
    listed = [{"amount": e.amount, "note": e.note} for e in entries]
    return jsonify(**show(find(account_id)), entries=listed)


@app.post("/api/transfers")
def transfer():
    """Two updates and two rows, or nothing: an overdraft fails at the second account's check."""
    body = request.get_json()
    amount = int(body.get("amount", 7))
    source, target = find(int(body.get("source", 1))), find(int(body.get("target", 2)))
    book(target, amount, f"from {source.owner}")
    try:
        book(source, -amount, f"to {target.owner}")
    except IntegrityError:
        db.session.rollback()
        return jsonify(error="not enough money"), 409
    db.session.commit()
    return jsonify(source=show(source), target=show(target)), 201


@app.post("/api/overdraft")
def overdraft():
    """Always too much: what was booked on the other side must not stay."""
    source, target = find(1), find(2)
    book(target, 10_000_000, "too much")
    try:
        book(source, -10_000_000, "too much")
    except IntegrityError:
        db.session.rollback()
        return jsonify(error="not enough money", target=show(find(2))), 409
    db.session.commit()
    return jsonify(source=show(source)), 201


@app.post("/api/ghosts")
def ghost():
    """Flush, then raise: the origin leaves nothing."""
    db.session.add(Entry(account_id=1, amount=1, note="ghost"))
    db.session.flush()
    raise RuntimeError("after the flush")


@app.post("/api/fees")
def fees():
    """A fee for each account that can pay it: one savepoint each, the others go on."""
    charged, refused = [], []
    for one in db.session.execute(db.select(Account).order_by(Account.id).limit(5)).scalars():
        try:
            with db.session.begin_nested():
                book(one, -one.id * 40, "fee")
            charged.append(one.owner)
        except IntegrityError:
            refused.append(one.owner)
    db.session.commit()
    return jsonify(charged=charged, refused=refused)


@app.post("/api/rename")
def rename():
    """sqlite3 without an ORM: `with connection` rolls back what fails."""
    connection = sqlite3.connect(FILE)
    try:
        with connection:
            connection.execute("UPDATE account SET owner = owner || '!' WHERE id = 3")
            connection.execute("UPDATE account SET owner = 'owner 1' WHERE id = 4")
    except sqlite3.IntegrityError as error:
        owners = connection.execute("SELECT owner FROM account WHERE id IN (3, 4)").fetchall()
        return jsonify(error=str(error), owners=owners, open=connection.in_transaction), 409
    finally:
        connection.close()
    return jsonify(renamed=True)
