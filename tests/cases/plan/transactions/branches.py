"""Of two branches only one is gone: their writes are one write."""

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError

app = Flask(__name__)
db = SQLAlchemy(app)


class Config(db.Model):
    key = db.Column(db.String, primary_key=True)
    value = db.Column(db.String)


@app.post("/set")
def set_value():
    config = db.session.scalar(db.select(Config))
    if config:
        config.value = "x"
    else:
        config = Config(key="a", value="x")
        db.session.add(config)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
    return {}


@app.post("/each")
def each():
    config = db.session.scalar(db.select(Config))
    if config:
        config.value = "x"
    if not config or config.key == "b":
        db.session.add(Config(key="c"))
    db.session.commit()  # <- TXN-MULTI-WRITE
    return {}
