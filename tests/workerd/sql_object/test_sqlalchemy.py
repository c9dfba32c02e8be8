"""Stock SQLAlchemy 2 on the SQL object: the scenarios of tests/workerd/sql_driver, and real rollbacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from edgelift.worker import sqlite3 as driver
from tests.workerd.sql_driver.test_sqlalchemy import (
    Author,
    Base,
    Book,
    Scenario,
    break_rules,
    follow_relationships,
    insert_many,
    reflect,
    round_trip_types,
    upsert,
)
from tests.workerd.sql_object.conftest import DATABASE
from tests.workerd.sql_object.object_server import HttpObjectTransport

pytestmark = [
    pytest.mark.workerd,
    pytest.mark.xdist_group("sql-object"),
    pytest.mark.filterwarnings("ignore:Dialect sqlite"),
]
Engines = tuple[sa.Engine, sa.Engine]


@pytest.fixture
def engines(carrier: HttpObjectTransport, tmp_path: Path) -> Iterator[Engines]:
    made = (
        sa.create_engine(f"sqlite:///{tmp_path}/reference.db"),
        sa.create_engine(f"sqlite:///{DATABASE}", module=driver),
    )
    for engine in made:
        sa.event.listen(engine, "connect", lambda c, _record: c.execute("PRAGMA foreign_keys=ON"))
        Base.metadata.create_all(engine)
    yield made
    for engine in made:
        engine.dispose()


def count_authors(session: orm.Session) -> Any:
    return session.scalars(sa.select(Author.name).order_by(Author.name)).all()


def roll_back(engine: sa.Engine) -> Any:
    seen = []
    with orm.Session(engine) as session:
        session.add(Author(name="ghost"))
        session.flush()
        seen.append(count_authors(session))
        session.rollback()
        seen.append(count_authors(session))
        session.add_all([Author(name="one"), Author(name="two", books=[Book(title="t", pages=1)])])
        session.commit()
        session.add(Author(name="three"))
        session.add(Author(name="one"))
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()
        session.rollback()
        seen.append(count_authors(session))
    return seen


def nest(engine: sa.Engine) -> Any:
    with orm.Session(engine) as session:
        session.add(Author(name="outer"))
        session.flush()
        for name in ("kept", "outer", "also kept"):
            try:
                with session.begin_nested():
                    session.add(Author(name=name))
            except sa.exc.IntegrityError as error:
                seen = str(error.orig)
        session.commit()
        return seen, count_authors(session)


def fail_in_a_transaction(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(Author).values(name="not committed", version=1))
        raise ZeroDivisionError


def begin(engine: sa.Engine) -> Any:
    with engine.begin() as connection:
        connection.execute(sa.insert(Author).values(name="committed", version=1))
    with pytest.raises(ZeroDivisionError):
        fail_in_a_transaction(engine)
    with orm.Session(engine) as session:
        return count_authors(session)


@pytest.mark.parametrize(
    "scenario",
    [
        round_trip_types, insert_many, break_rules, follow_relationships, reflect, upsert,
        roll_back, nest, begin,
    ],
    ids=lambda scenario: scenario.__name__,
)  # fmt: skip
def test_same_as_cpython(engines: Engines, scenario: Scenario) -> None:
    reference, lifted = engines
    assert scenario(lifted) == scenario(reference)
