"""Writes of helpers belong to the caller's transaction."""

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


def take(item_id):
    item = db.session.get(Item, item_id)
    item.stock = item.stock - 1


def place(item_id):
    db.session.add(Order(item_id=item_id))


@app.post("/orders/<int:item_id>")
def order(item_id):
    take(item_id)
    place(item_id)
    db.session.commit()  # <- TXN-MULTI-WRITE
    return {}
