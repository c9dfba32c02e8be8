"""What only a command runs is not in the Worker."""

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


@app.cli.command("seed")
def seed():
    try:
        db.session.add(Item(name="a"))
        db.session.add(Item(name="b"))
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
