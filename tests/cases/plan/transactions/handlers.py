"""A rollback in an error handler matters when requests write several times."""

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


@app.errorhandler(500)
def failed(error):
    db.session.rollback()  # <- TXN-TEARDOWN
    return {"error": str(error)}, 500


@app.post("/both")
def both():
    db.session.add_all([Item(name="a"), Item(name="b")])
    db.session.commit()  # <- TXN-MULTI-WRITE
    return {}
