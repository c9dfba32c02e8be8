"""Counters that all processes share: one row each, raised by one statement."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from .extensions import db
from .models import Counter


def add_to_counter(name: str, amount: int = 1) -> None:
    statement = insert(Counter).values(name=name, value=amount)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=[Counter.name],
            set_={"value": Counter.value + statement.excluded.value},
        )
    )
    db.session.commit()


def read_counters() -> dict[str, int]:
    rows = db.session.execute(select(Counter.name, Counter.value)).all()
    return dict(rows)
