"""A write in a loop is many writes, unless each is committed."""

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


@app.post("/import")
def load():
    for name in request.json:
        db.session.add(Item(name=name))
    db.session.commit()  # <- TXN-MULTI-WRITE
    return {}


@app.post("/import-each")
def load_each():
    for name in request.json:
        db.session.add(Item(name=name))
        db.session.commit()
    return {}
