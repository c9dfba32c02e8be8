"""A transaction block with one write is that write; with several it promises all or none."""

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


@app.post("/one")
def one():
    with db.engine.begin() as connection:
        connection.execute(db.text("UPDATE item SET stock = stock - 1"))
    return {}


@app.post("/two")
def two():
    with db.engine.begin() as connection:  # <- TXN-BLOCK
        connection.execute(db.text("UPDATE item SET stock = stock - 1"))
        connection.execute(db.text("INSERT INTO orders (item_id) VALUES (1)"))
    return {}


@app.get("/reads")
def reads():
    with db.engine.begin() as connection:
        first = connection.execute(db.text("SELECT 1")).scalar()
        second = connection.execute(db.text("SELECT 2")).scalar()
    return {"sum": first + second}
