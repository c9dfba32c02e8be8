"""Two writes and a rollback: the first would stay."""

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


@app.post("/orders")
def order():
    try:
        db.session.add(Order(item_id=1))
        db.session.add(Item(name="x"))
        db.session.commit()  # <- TXN-MULTI-WRITE
    except IntegrityError:
        db.session.rollback()  # <- TXN-ROLLBACK-LOST
        abort(409)
    return {}
