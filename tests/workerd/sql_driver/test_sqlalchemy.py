"""Stock SQLAlchemy 2 on the driver does what it does on CPython's sqlite3: the same scenario, both results compared."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from edgelift.worker import sqlite3 as driver
from tests.workerd.sql_driver.conftest import DATABASE
from tests.workerd.sql_driver.d1_server import HttpTransport

pytestmark = [
    pytest.mark.workerd,
    pytest.mark.xdist_group("d1"),
    # SQLAlchemy warns that SQLite has no decimals; it does so on both sides.
    pytest.mark.filterwarnings("ignore:Dialect sqlite"),
]


class Base(orm.DeclarativeBase):
    pass


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Everything(Base):
    __tablename__ = "everything"
    id = orm.mapped_column(sa.Integer, primary_key=True)
    name = orm.mapped_column(sa.String(40), unique=True)
    price = orm.mapped_column(sa.Numeric(12, 4))
    ratio = orm.mapped_column(sa.Float)
    big = orm.mapped_column(sa.BigInteger)
    done = orm.mapped_column(sa.Boolean)
    data = orm.mapped_column(sa.JSON)
    raw = orm.mapped_column(sa.LargeBinary)
    day = orm.mapped_column(sa.Date)
    moment = orm.mapped_column(sa.DateTime)
    clock = orm.mapped_column(sa.Time)
    key = orm.mapped_column(sa.Uuid)
    colour = orm.mapped_column(sa.Enum(Colour))
    span = orm.mapped_column(sa.Interval)
    made = orm.mapped_column(sa.DateTime, server_default=sa.text("'2024-01-01 00:00:00'"))


class Author(Base):
    __tablename__ = "author"
    id = orm.mapped_column(sa.Integer, primary_key=True)
    name = orm.mapped_column(sa.String(40), nullable=False, unique=True)
    version = orm.mapped_column(sa.Integer, nullable=False)
    books = orm.relationship("Book", back_populates="author", cascade="all, delete-orphan")
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Book(Base):
    __tablename__ = "book"
    id = orm.mapped_column(sa.Integer, primary_key=True)
    author_id = orm.mapped_column(sa.ForeignKey("author.id", ondelete="CASCADE"), nullable=False)
    title = orm.mapped_column(sa.Text, index=True)
    pages = orm.mapped_column(sa.Integer, sa.CheckConstraint("pages > 0", name="some_pages"))
    author = orm.relationship(Author, back_populates="books")
    __table_args__ = (sa.UniqueConstraint("author_id", "title", name="uq_title"),)


Scenario = Callable[[sa.Engine], Any]


@pytest.fixture
def engines(d1: Any, tmp_path: Path) -> Iterator[tuple[sa.Engine, sa.Engine]]:
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


def round_trip_types(engine: sa.Engine) -> Any:
    rows = [
        Everything(
            name="full", price=decimal.Decimal("12345.6789"), ratio=0.1, big=2**62 + 1, done=True,
            data={"a": [1, 2.0, None, "é"], "b": 2**53 + 1}, raw=bytes(range(256)), day=dt.date(2024, 2, 29),
            moment=dt.datetime(2024, 2, 29, 1, 2, 3, 456), clock=dt.time(23, 59, 59, 999999),  # noqa: DTZ001
            key=uuid.UUID(int=2**127 + 5), colour=Colour.BLUE, span=dt.timedelta(days=-3, seconds=1.5),
        ),
        Everything(name="null", data=sa.null()),
        Everything(name="edge", price=decimal.Decimal(5), ratio=7.0, big=-(2**63), done=False, data=[], raw=b""),
    ]  # fmt: skip
    with orm.Session(engine) as session:
        session.add_all(rows)
        session.commit()
        session.expire_all()
        columns = Everything.__table__.columns.keys()
        found = session.scalars(sa.select(Everything).order_by(Everything.id)).all()
        seen = [[(type(getattr(r, c)).__name__, getattr(r, c)) for c in columns] for r in found]
        filters = [
            Everything.big == 2**62 + 1, Everything.done.is_(True), Everything.price > 100, Everything.ratio == 7,
            Everything.day == dt.date(2024, 2, 29), Everything.key == uuid.UUID(int=2**127 + 5),
            Everything.colour == Colour.BLUE, Everything.data["a"][1].as_float() == 2.0, Everything.raw == b"",
            Everything.name.in_([f"n{i}" for i in range(400)] + ["full"]), Everything.id.in_(range(1500)),
            sa.tuple_(Everything.id, Everything.name).in_([(1, "full"), (9, "x")]), Everything.name.ilike("FU%"),
        ]  # fmt: skip
        counts = [session.scalar(sa.select(sa.func.count()).where(f)) for f in filters]
        computed = session.execute(
            sa.select(
                Everything.big + 1 - 2,
                sa.func.sum(Everything.ratio),
                sa.func.max(Everything.day),
                sa.cast(Everything.price, sa.Integer),
                sa.literal(3) / 2,
                sa.func.coalesce(Everything.name, "?"),
            ).where(Everything.name == "full")
        ).all()
        return seen, counts, [tuple(row) for row in computed]


def insert_many(engine: sa.Engine) -> Any:
    with orm.Session(engine) as session:
        author = Author(name="a", books=[Book(title=f"t{i}", pages=i + 1) for i in range(1000)])
        session.add(author)
        session.commit()
        core = [{"author_id": author.id, "title": f"c{i}", "pages": 2} for i in range(1000)]
        returned = session.scalars(sa.insert(Book).returning(Book.id), core).all()
        session.execute(sa.insert(Book), [{**row, "title": row["title"] + "x"} for row in core])
        session.commit()
        changed = session.execute(
            sa.update(Book).where(Book.pages == 2).values(pages=Book.pages * 10)
        )
        session.commit()
        total = session.execute(
            sa.select(sa.func.count(), sa.func.sum(Book.pages)).select_from(Book)
        )
        return (
            len(returned),
            len(set(returned)),
            session.scalar(sa.select(sa.func.count()).where(Book.title.like("c%x"))),
            changed.rowcount,
            tuple(total.one()),
        )


def break_rules(engine: sa.Engine) -> Any:
    told = []
    with orm.Session(engine) as session:
        session.add(Author(name="a"))
        session.commit()
        for wrong in (
            Author(name="a"),
            Author(name=None),
            Book(author_id=77, title="t"),
            Book(author_id=1, title="t", pages=0),
        ):
            session.add(wrong)
            with pytest.raises(sa.exc.IntegrityError) as caught:
                session.commit()
            told.append(
                (str(caught.value.orig), type(caught.value.orig).__name__, caught.value.statement)
            )
            session.rollback()
        with pytest.raises(sa.exc.OperationalError) as missing:
            session.execute(sa.text("SELECT * FROM nowhere"))
        told.append((str(missing.value.orig), "", ""))
        return told, session.scalar(sa.select(sa.func.count()).select_from(Author))


def follow_relationships(engine: sa.Engine) -> Any:
    seen: list[Any] = []
    with orm.Session(engine) as session:
        one = Author(name="one", books=[Book(title=t, pages=1) for t in ("x", "y", "z")])
        session.add_all([one, Author(name="two", books=[Book(title="w", pages=1)])])
        session.commit()
        one.books.pop(0)
        one.name = "first"
        session.commit()
        loaded = session.scalars(
            sa.select(Author).options(orm.selectinload(Author.books)).order_by(Author.id)
        )
        seen.append([(a.name, a.version, sorted(b.title for b in a.books)) for a in loaded])
        joined = session.execute(
            sa.select(Author.name, Book.title).join(Book).order_by(Book.title)
        ).all()
        seen.append([tuple(row) for row in joined])
        session.delete(one)
        session.commit()
        seen.append(session.scalars(sa.select(Book.title)).all())
        session.execute(sa.delete(Author))
        session.commit()
        seen.append(session.scalar(sa.select(sa.func.count()).select_from(Book)))
    return seen


def reflect(engine: sa.Engine) -> Any:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE VIEW titles AS SELECT title FROM book"))
        connection.execute(sa.text("CREATE INDEX partial ON book(pages) WHERE pages > 5"))
    inspector = sa.inspect(engine)
    tables = inspector.get_table_names()
    found: dict[str, Any] = {"tables": tables, "views": inspector.get_view_names()}
    for table in tables:
        found[table] = (
            [{**c, "type": str(c["type"])} for c in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            inspector.get_foreign_keys(table),
            sorted(inspector.get_unique_constraints(table), key=str),
            inspector.get_check_constraints(table),
            [_describe_index(index) for index in inspector.get_indexes(table)],
        )
    metadata = sa.MetaData()
    metadata.reflect(engine)
    return found, sorted(metadata.tables), inspector.has_table("book"), inspector.has_table("nope")


def _describe_index(index: Any) -> Any:
    where = index["dialect_options"].get("sqlite_where")
    return index["name"], index["column_names"], index["unique"], str(where)


def upsert(engine: sa.Engine) -> Any:
    from sqlalchemy.dialects.sqlite import insert

    with orm.Session(engine) as session:
        seen = []
        for name in ("a", "b", "a"):
            statement = insert(Author).values(name=name, version=1)
            statement = statement.on_conflict_do_update(
                index_elements=["name"], set_={"version": Author.version + 1}
            )
            done = session.execute(statement.returning(Author.name, Author.version))
            seen.append([tuple(row) for row in done])
        session.commit()
        seen.append(session.execute(sa.text("SELECT name, version FROM author ORDER BY 1")).all())
        return [[tuple(row) for row in part] for part in seen]


@pytest.mark.parametrize(
    "scenario",
    [round_trip_types, insert_many, break_rules, follow_relationships, reflect, upsert],
    ids=lambda scenario: scenario.__name__,
)
def test_same_as_cpython(engines: tuple[sa.Engine, sa.Engine], scenario: Scenario) -> None:
    reference, lifted = engines
    assert scenario(lifted) == scenario(reference)


def test_a_query_costs_one_call(
    engines: tuple[sa.Engine, sa.Engine], d1_transport: HttpTransport
) -> None:
    _, lifted = engines
    with orm.Session(lifted) as session:
        session.add_all([Author(name=f"a{i}") for i in range(3)])
        session.commit()
        for _ in range(2):
            before = len(d1_transport.requests)
            assert len(session.scalars(sa.select(Author)).all()) == 3
            assert len(d1_transport.requests) - before == 1
            session.rollback()


def test_a_lost_rollback_reaches_the_application(
    engines: tuple[sa.Engine, sa.Engine], caplog: pytest.LogCaptureFixture
) -> None:
    """The twin of rollback: on CPython the row is gone, on D1 nobody can think that it is."""
    reference, lifted = engines
    with orm.Session(reference) as session:
        session.add(Author(name="ghost"))
        session.flush()
        session.rollback()
        assert session.scalar(sa.select(sa.func.count()).select_from(Author)) == 0
    with orm.Session(lifted) as session:
        session.add(Author(name="ghost"))
        session.flush()
        with pytest.raises(sa.exc.OperationalError) as lost:
            session.rollback()
        assert isinstance(lost.value.orig, driver.LostRollbackError)
    assert "LOST ROLLBACK" in caplog.text
    with orm.Session(lifted) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Author)) == 1


def test_connections_are_sqlite3_connections(engines: tuple[sa.Engine, sa.Engine]) -> None:
    for engine in engines:
        with engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert isinstance(raw, driver.Connection)
    assert issubclass(driver.IntegrityError, sqlite3.IntegrityError)
