"""A rollback in an error handler is idle when every request writes once."""

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
    db.session.rollback()
    return {"error": str(error)}, 500


@app.post("/one")
def one():
    db.session.add(Item(name="a"))
    db.session.commit()
    return {}
