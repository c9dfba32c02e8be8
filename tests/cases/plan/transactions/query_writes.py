"""Query.update and Query.delete are statements of their own."""

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


@app.delete("/items")
def clear():
    Order.query.delete()
    Item.query.filter_by(stock=0).delete()
    db.session.commit()  # <- TXN-MULTI-WRITE
    return {}


@app.post("/reset")
def reset():
    Item.query.update({"stock": 0})
    db.session.commit()
    return {}
