"""A stockroom whose tables Alembic makes and changes; its models are of three libraries."""

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from flask import Flask, jsonify
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import Field, Session, SQLModel, select

ROOT = Path(__file__).resolve().parent
PATH = os.environ.get("STOCK_DB", str(ROOT / "data" / "stock.db"))
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{PATH}"
db = SQLAlchemy(app)
engine = create_async_engine(f"sqlite+aiosqlite:///{PATH}")
open_session = async_sessionmaker(engine, expire_on_commit=False)


class Shelf(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40), nullable=False, unique=True)
    height_cm = db.Column(db.Numeric(6, 1), nullable=False)
    items = db.relationship("Item", back_populates="shelf", order_by="Item.id")


class Item(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    shelf_id = db.Column(db.ForeignKey("shelf.id"), nullable=False)
    label = db.Column(db.String(80), nullable=False)
    amount = db.Column(db.Integer, nullable=False)
    shelf = db.relationship(Shelf, back_populates="items")


class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    item_id: int
    said: str


def migrate(revision):
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{PATH}")
    (command.downgrade if revision.startswith("-") else command.upgrade)(config, revision)


if os.environ.get("MIGRATE_AT_START"):
    migrate("head")


@app.post("/migrate/<revision>")
def run_migration(revision):
    migrate(revision)
    return describe()


@app.get("/schema")
def describe():
    """Return the tables as SQLAlchemy reflects them, and the revision."""
    inspector = inspect(db.engine)
    tables = {
        name: {
            "columns": [
                [c["name"], str(c["type"]), c["nullable"], c["default"]]
                for c in inspector.get_columns(name)
            ],
            "key": inspector.get_pk_constraint(name)["constrained_columns"],
            "refers": sorted(
                [k["constrained_columns"], k["referred_table"]]
                for k in inspector.get_foreign_keys(name)
            ),
            "unique": sorted(u["column_names"] for u in inspector.get_unique_constraints(name)),
            "checks": sorted(c["sqltext"] for c in inspector.get_check_constraints(name)),
            "indexes": sorted(i["name"] for i in inspector.get_indexes(name)),
        }
        for name in inspector.get_table_names()
    }
    rows = {
        name: [list(row) for row in db.session.execute(text(f'SELECT * FROM "{name}"'))]
        for name in tables
    }
    return jsonify(tables=tables, rows=rows)


@app.post("/shelves/<name>/<int:amount>")
def add_shelf(name, amount):
    shelf = Shelf(name=name, height_cm=20, items=[Item(label=f"in {name}", amount=amount)])
    db.session.add(shelf)
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        return jsonify(error=str(error.orig)), 409
    return jsonify([[item.id, item.shelf.name] for item in shelf.items], str(shelf.height_cm))


@app.post("/notes/<int:item>/<said>")
def add_note(item, said):
    with Session(db.engine) as session:
        note = Note(item_id=item, said=said)
        session.add(note)
        session.commit()
        session.refresh(note)
        found = session.exec(select(Note).where(Note.item_id == item).order_by(Note.id)).all()
        return jsonify([n.model_dump() for n in found])


@event.listens_for(engine.sync_engine, "connect")
def keep_foreign_keys(connection, _record):
    connection.execute("PRAGMA foreign_keys=ON")


@app.post("/async/<name>")
async def use_aiosqlite(name):
    """Two shelves through aiosqlite: the second one's name is taken, and nothing of both stays."""
    async with open_session() as session:
        session.add(Shelf(name=name, height_cm=5))
        await session.flush()
        seen = (await session.scalars(db.select(Shelf.name).order_by(Shelf.id))).all()
        session.add(Shelf(name=name, height_cm=6))
        try:
            await session.commit()
        except IntegrityError as error:
            await session.rollback()
            told = str(error.orig)
        session.add(Shelf(name=f"{name} kept", height_cm=7))
        await session.commit()
        left = (await session.scalars(db.select(Shelf.name).order_by(Shelf.id))).all()
    await engine.dispose()
    return jsonify(seen=seen, told=told, left=left)
