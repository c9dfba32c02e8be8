"""A raise between write and commit: the origin discards the write."""

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


@app.post("/buy")
def buy():
    db.session.execute(db.update(Item).values(stock=Item.stock - 1))
    item = db.session.scalar(db.select(Item))
    if item.stock < 0:
        abort(409)  # <- TXN-RAISE-AFTER-WRITE
    if item.name == "gone":
        raise RuntimeError("gone")  # <- TXN-RAISE-AFTER-WRITE
    db.session.commit()
    return {}
