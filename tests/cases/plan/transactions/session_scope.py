"""A context manager of the app that commits or rolls back is a transaction block."""

from contextlib import contextmanager

from flask import Flask
from sqlalchemy import Column, Integer, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

app = Flask(__name__)
Base = declarative_base()
Session = sessionmaker(create_engine("sqlite:///x.db"))


class Item(Base):
    __tablename__ = "item"
    id = Column(Integer, primary_key=True)


@contextmanager
def session_scope():
    session = Session()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


@app.post("/one")
def one():
    with session_scope() as session:
        session.add(Item())
    return {}


@app.post("/two")
def two():
    with session_scope() as session:  # <- TXN-BLOCK
        session.add(Item())
        session.add(Item())
    return {}
