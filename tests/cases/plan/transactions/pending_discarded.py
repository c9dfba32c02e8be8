"""What is only pending is discarded by a rollback: nothing reached the database."""

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
    db.session.add(Order(item_id=1))
    if "dry" in request.args:
        db.session.rollback()
        return {"dry": True}
    db.session.commit()
    return {}
