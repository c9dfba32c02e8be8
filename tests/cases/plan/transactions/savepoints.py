"""A savepoint around one write loses nothing; around several it does."""

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


@app.post("/get-or-create")
def get_or_create():
    try:
        with db.session.begin_nested():
            db.session.add(Item(name="x"))
    except IntegrityError:
        pass
    db.session.commit()
    return {}


@app.post("/two")
def two():
    try:
        with db.session.begin_nested():  # <- TXN-SAVEPOINT
            db.session.add(Item(name="x"))
            db.session.flush()
            db.session.add(Order(item_id=1))
    except IntegrityError:
        pass
    db.session.commit()  # <- TXN-MULTI-WRITE
    return {}
