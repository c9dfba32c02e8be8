"""Each write has its own commit, so each is whole in D1 too."""

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


def record(name):
    db.session.add(Item(name=name))
    db.session.commit()


@app.post("/both")
def both():
    record("a")
    record("b")
    if request.args.get("fail"):
        abort(400)
    return {}
