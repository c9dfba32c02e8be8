"""A flush, then something that fails, then a rollback: the flushed row would stay."""

from flask import Flask, abort, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError

app = Flask(__name__)
db = SQLAlchemy(app)


class Item(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String)
    stock = db.Column(db.Integer)


class Order(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    item_id = db.Column(db.Integer)


def charge(amount):
    if amount > 10:
        raise ValueError("too much")


@app.post("/orders")
def order():
    entry = Order(item_id=1)
    db.session.add(entry)
    db.session.flush()
    try:
        charge(request.json["amount"])  # <- TXN-FLUSH
    except ValueError:
        db.session.rollback()  # <- TXN-ROLLBACK-LOST
        abort(402)
    db.session.commit()
    return {"id": entry.id}
