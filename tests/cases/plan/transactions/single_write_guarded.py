"""One write whose own failure is rolled back: nothing was written, nothing is lost."""

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


@app.post("/items")
def create():
    item = Item(name=request.json["name"])
    item.stock = 0
    db.session.add(item)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        abort(409)
    return {"id": item.id}


@app.patch("/items/<int:item_id>")
def rename(item_id):
    item = db.session.get(Item, item_id)
    if item is None:
        abort(404)
    item.name = request.json["name"]
    item.stock = request.json["stock"]
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        return {"error": "taken"}, 409
    db.session.commit()
    return {"id": item.id}
