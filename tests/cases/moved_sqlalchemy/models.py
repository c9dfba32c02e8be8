"""The tables that the expressions ask, declared for either server, and their rows."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql as pg

NOON = dt.datetime(2024, 2, 29, 12, 30, 15, 123456)  # noqa: DTZ001 - a plain timestamp
ZONED = NOON.replace(tzinfo=dt.UTC)


class Status(enum.Enum):
    """An enumeration whose order is not that of its words."""

    new = "new"
    paid = "paid"
    cancelled = "cancelled"


def make_models(engine: str) -> dict[str, Any]:
    """Return the mapped classes for an engine, by the names that cases use."""

    class Base(orm.DeclarativeBase):
        pass

    own = _make_postgresql_columns() if engine == "postgresql" else _make_mysql_columns()
    fields: dict[str, Any] = {
        "__tablename__": "items",
        "id": sa.Column(sa.Integer, primary_key=True),
        "sku": sa.Column(sa.String(10), unique=True, nullable=False),
        "name": sa.Column(sa.String(40), nullable=False),
        "price": sa.Column(sa.Numeric(10, 2)),
        "rate": sa.Column(sa.Double),
        "qty": sa.Column(sa.Integer),
        "big": sa.Column(sa.BigInteger),
        "active": sa.Column(sa.Boolean, nullable=False, default=True),
        "born": sa.Column(sa.Date),
        "wakes": sa.Column(sa.Time),
        "note": sa.Column(sa.Text),
        "data": sa.Column(sa.LargeBinary),
        **own,
        "sales": orm.relationship("Sale", back_populates="item", order_by="Sale.id"),
    }
    item = type("Item", (Base,), fields)
    sale = type("Sale", (Base,), {
        "__tablename__": "sales",
        "id": sa.Column(sa.Integer, primary_key=True),
        "item_id": sa.Column(sa.ForeignKey("items.id"), nullable=False),
        "amount": sa.Column(sa.Numeric(8, 3), nullable=False),
        "day": sa.Column(sa.Date, nullable=False),
        "region": sa.Column(sa.String(10)),
        "item": orm.relationship("Item", back_populates="sales"),
        "__table_args__": (sa.CheckConstraint("amount >= 0", name="amount_is_no_debt"),),
    })  # fmt: skip
    return {"Base": Base, "Item": item, "Sale": sale}


def _make_postgresql_columns() -> dict[str, Any]:
    return {
        "at": sa.Column(sa.DateTime), "seen": sa.Column(sa.DateTime(timezone=True)),
        "took": sa.Column(pg.INTERVAL), "uid": sa.Column(pg.UUID(as_uuid=True)),
        "tags": sa.Column(pg.ARRAY(sa.Text)), "nums": sa.Column(pg.ARRAY(sa.Integer)),
        "doc": sa.Column(pg.JSONB), "raw": sa.Column(sa.JSON),
        "status": sa.Column(pg.ENUM(Status, name="item_status"), nullable=False),
    }  # fmt: skip


def _make_mysql_columns() -> dict[str, Any]:
    return {
        "at": sa.Column(mysql.DATETIME(fsp=6)), "doc": sa.Column(sa.JSON),
        "small": sa.Column(mysql.TINYINT(unsigned=True)),
        "status": sa.Column(mysql.ENUM(Status), nullable=False),
    }  # fmt: skip


_NAMES = ("Ada", "bob", "Čeněk", "d_%", "it's", "Zed", "ada b", "")


def fill(engine: Any, models: dict[str, Any], origin: str) -> None:
    """Make the tables with their rows."""
    models["Base"].metadata.create_all(engine)
    with orm.Session(engine) as session:
        for number, name in enumerate(_NAMES):
            item = models["Item"](**_make_item(number, name), **_make_own(number, origin))
            session.add(item)
            session.flush()
            for place in range(number % 4):
                session.add(models["Sale"](
                    item_id=item.id, amount=Decimal(number * 1000 + place * 125) / 1000,
                    day=dt.date(2024, 1, 30) + dt.timedelta(days=number + place),
                    region=(None, "north", "south")[(number + place) % 3],
                ))  # fmt: skip
        session.commit()


def _make_item(number: int, name: str) -> dict[str, Any]:
    given = number != 5
    return {
        "sku": f"S{number}", "name": name,
        "price": Decimal(number * 725 - 700) / 100 if given else None,
        "rate": (number - 3) / 4 if given else None,
        "qty": number * 3 - 7 if given else None, "big": 2**40 + number,
        "active": number % 3 != 1, "born": dt.date(2023 + number % 3, 1 + number, 28),
        "wakes": dt.time(number, 59, 1) if given else None,
        "note": None if number % 2 else f"note {number}\nof {name}",
        "data": bytes([0, number, 255]) if given else None,
    }  # fmt: skip


def _make_own(number: int, origin: str) -> dict[str, Any]:
    status = list(Status)[number % 3]
    at = NOON + dt.timedelta(days=17 * number, hours=number, microseconds=number)
    doc: Any = {"n": number, "deep": {"list": [number, None, 1.5], "on": number % 2 == 0},
                "word": "x" * number}  # fmt: skip
    if origin == "mysql":
        return {"at": at, "doc": doc, "small": number * 30, "status": status}
    return {
        "at": at, "seen": at.replace(tzinfo=dt.UTC), "took": dt.timedelta(minutes=90 * number),
        "uid": uuid.UUID(int=number), "tags": ["x", f"t{number}", "it's"][: number % 4],
        "nums": list(range(number)) if number != 4 else None, "doc": doc if number != 6 else None,
        "raw": [number, {"a": None}], "status": status,
    }  # fmt: skip
