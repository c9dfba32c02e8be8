"""SQLAlchemy over a database that was moved from a server: types, constructs, values, counters."""

from __future__ import annotations

import datetime as dt
import enum
import json
import sqlite3
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql, postgresql

from edgelift.worker import sqlalchemy_moved
from edgelift.worker.sqlalchemy_moved import assignment, dialect, functions, names, values

RAW = "SELECT sku, price, stock > 0 AS there, made FROM parts ORDER BY sku"


class Status(enum.Enum):
    new = "new"
    paid = "paid"
    cancelled = "cancelled"


class Base(orm.DeclarativeBase):
    pass


class Part(Base):
    __tablename__ = "parts"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    code: orm.Mapped[uuid.UUID] = orm.mapped_column(
        postgresql.UUID(as_uuid=True), default=uuid.uuid4
    )
    sku: orm.Mapped[str] = orm.mapped_column(sa.String(10), unique=True)
    price: orm.Mapped[Decimal] = orm.mapped_column(sa.Numeric(10, 2))
    stock: orm.Mapped[int | None]
    status: orm.Mapped[Status] = orm.mapped_column(
        postgresql.ENUM(Status, name="status"), default=Status.new
    )
    tags: orm.Mapped[list[str]] = orm.mapped_column(postgresql.ARRAY(sa.Text), default=list)
    specs: orm.Mapped[dict[str, Any]] = orm.mapped_column(postgresql.JSONB, default=dict)
    made: orm.Mapped[dt.datetime] = orm.mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    took: orm.Mapped[dt.timedelta | None] = orm.mapped_column(postgresql.INTERVAL)


DDL = """CREATE TABLE parts (id INTEGER PRIMARY KEY AUTOINCREMENT, code CHAR(36), sku VARCHAR(10) NOT
NULL UNIQUE, price NUMERIC(10, 2), stock INTEGER, status TEXT, tags TEXT, specs TEXT,
made TIMESTAMP DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'), took TIMESTAMP)"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "moved.sqlite"
    with sqlite3.connect(path) as db:
        db.execute(DDL)
    db.close()
    settings = {"origin": "postgresql", "path": str(path)}
    kinds = {RAW: ["", "numeric:2", "boolean", "timestamptz"]}
    sqlalchemy_moved.install([settings | {"texts": {RAW: f"{RAW} NULLS LAST"}, "kinds": kinds}])
    made = sa.create_engine(
        "postgresql+psycopg2://app:secret@db.example.org/shop",
        pool_size=3,
        isolation_level="REPEATABLE READ",
        connect_args={"sslmode": "require", "application_name": "x"},
    )
    yield made
    made.dispose()
    for name in [
        n for n in sa.dialects.registry.impls if n.startswith(("postgres", "mysql", "maria"))
    ]:
        sa.dialects.registry.deregister(name)


@pytest.fixture
def session(engine: sa.Engine) -> Iterator[orm.Session]:
    with orm.Session(engine) as made:
        made.add_all(
            [
                Part(sku="a", price=Decimal("19.90"), stock=1, status=Status.paid, tags=["x", "é"],
                     specs={"zz": 1.50, "b": {"c": [1, 2]}}, took=dt.timedelta(hours=1)),
                Part(sku="B%", price=Decimal(5), tags=[],
                     made=dt.datetime(2024, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
            ]
        )  # fmt: skip
        made.commit()
        yield made


def found(session: orm.Session, condition: Any) -> list[str]:
    return list(session.scalars(sa.select(Part.sku).where(condition).order_by(Part.id)))


def test_the_app_still_meets_its_server_s_name(engine: sa.Engine) -> None:
    assert engine.dialect.name == engine.url.get_backend_name() == "postgresql"


def test_values_come_back_as_the_server_s_driver_gives_them(session: orm.Session) -> None:
    first, second = session.scalars(sa.select(Part).order_by(Part.id))
    assert isinstance(first.code, uuid.UUID)
    assert (first.price, second.price) == (Decimal("19.90"), Decimal("5.00"))
    assert str(second.price) == "5.00"
    assert (first.tags, first.specs["zz"], first.status) == (["x", "é"], 1.5, Status.paid)
    assert second.made == dt.datetime(2024, 1, 2, 1, tzinfo=dt.UTC)
    assert first.took == dt.timedelta(hours=1)


def test_what_is_written_is_what_the_mover_writes(session: orm.Session) -> None:
    rows = session.connection().exec_driver_sql("SELECT * FROM parts ORDER BY id").all()
    assert rows[0][6:8] == ('["x","é"]', '{"b": {"c": [1, 2]}, "zz": 1.5}')
    assert rows[1][8] == "2024-01-02 01:00:00.000000"
    assert rows[0][9] == "1970-01-01 01:00:00.000000"
    assert rows[0][1] == str(uuid.UUID(rows[0][1]))


def test_operators_of_arrays_documents_and_texts(session: orm.Session) -> None:
    assert found(session, Part.tags.contains(["x"])) == ["a"]
    assert found(session, Part.tags.overlap(["x", "y"])) == ["a"]
    assert found(session, sa.literal("é") == sa.any_(Part.tags)) == ["a"]
    assert found(session, Part.tags[1] == "x") == ["a"]
    assert found(session, Part.specs.contains({"b": {"c": [2]}})) == ["a"]
    assert found(session, Part.specs.contains({"b": {"c": [3]}})) == []
    assert found(session, Part.specs.has_key("zz")) == ["a"]
    assert found(session, Part.specs["zz"].astext == "1.5") == ["a"]
    assert found(session, Part.sku.like("b%")) == []
    assert found(session, Part.sku.like("B%")) == ["B%"]
    assert found(session, Part.sku.ilike("b%")) == ["B%"]
    assert found(session, Part.sku.contains("%", autoescape=True)) == ["B%"]


def test_order_is_the_server_s(session: orm.Session) -> None:
    assert list(session.scalars(sa.select(Part.stock).order_by(Part.stock))) == [1, None]
    assert list(session.scalars(sa.select(Part.stock).order_by(Part.stock.desc()))) == [None, 1]
    assert list(session.scalars(sa.select(Part.sku).order_by(Part.status.desc()))) == ["a", "B%"]


@pytest.mark.filterwarnings("ignore:Passing expression to")
def test_what_has_no_form_is_not_compiled(session: orm.Session) -> None:
    with pytest.raises(sa.exc.CompileError, match="DISTINCT ON"):
        session.execute(sa.select(Part.sku).distinct(Part.stock))
    with pytest.raises(sa.exc.CompileError, match="operator"):
        session.execute(sa.select(Part.specs.op("@?")("$.a")))


def test_an_upsert_and_its_returning(session: orm.Session) -> None:
    new = postgresql.insert(Part).values(sku="a", price=Decimal(1), stock=4)
    upsert = new.on_conflict_do_update(
        index_elements=[Part.sku], set_={"stock": Part.stock + new.excluded.stock}
    ).returning(Part.id, Part.stock)
    assert session.execute(upsert).one() == (1, 5)


def test_texts_are_translated_and_typed(session: orm.Session) -> None:
    rows = session.execute(sa.text(RAW)).all()
    assert [row.sku for row in rows] == ["B%", "a"]
    assert (str(rows[0].price), rows[1].there, rows[0].made.tzinfo) == ("5.00", True, dt.UTC)


def test_functions_results_have_the_server_s_types(session: orm.Session) -> None:
    at = sa.func.date_trunc("day", Part.made)
    row = session.execute(
        sa.select(at.label("day"), sa.func.now(), sa.func.round(sa.func.avg(Part.price), 2),
                  sa.func.bool_or(Part.stock > 0).label("any"), sa.func.greatest(Part.price, 1))
        .where(Part.sku == "B%")
    ).one()  # fmt: skip
    assert row.day == dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
    assert row[1].tzinfo is dt.UTC
    assert (str(row[2]), row.any, str(row[4])) == ("5.00", None, "5.00")


def test_numbers_that_were_given_out_are_used_up(session: orm.Session) -> None:
    """A refused row, a rolled-back one and an upsert each leave a gap, as a sequence does."""
    session.add(Part(sku="a", price=1))
    with pytest.raises(sa.exc.IntegrityError):
        session.flush()
    session.rollback()
    session.add(Part(sku="c", price=1))
    session.flush()
    session.rollback()
    new = postgresql.insert(Part).values(sku="a", price=1)
    session.execute(new.on_conflict_do_nothing())
    session.add(last := Part(sku="d", price=1))
    session.commit()
    assert last.id == 6


@pytest.mark.parametrize(
    ("values_", "error"),
    [
        ({"stock": 2**31}, sa.exc.DataError),
        ({"stock": True}, sa.exc.ProgrammingError),
        ({"stock": "abc"}, sa.exc.DataError),
        ({"sku": "x" * 11}, sa.exc.DataError),
        ({"sku": {"a": 1}}, sa.exc.ProgrammingError),
        ({"price": 10**8}, sa.exc.DataError),
        ({"tags": [1, "a"]}, sa.exc.ProgrammingError),
    ],
)
def test_values_that_the_server_refuses_are_refused(
    session: orm.Session, values_: dict[str, Any], error: type[Exception]
) -> None:
    session.add(Part(**({"sku": "n", "price": 1} | values_)))
    with pytest.raises(error):
        session.flush()


def test_values_that_the_server_casts_are_cast(session: orm.Session) -> None:
    session.add(Part(sku="n", price=1.005, stock=2.5, tags=["x"]))
    session.add(Part(sku=True, price="7"))
    session.commit()
    rows = session.execute(sa.select(Part.sku, Part.price, Part.stock).order_by(Part.id)).all()
    assert rows[2:] == [("n", Decimal("1.01"), 3), ("true", Decimal("7.00"), None)]


def test_a_number_beyond_64_bits_is_found_nowhere(session: orm.Session) -> None:
    assert session.get(Part, 10**20) is None


def test_an_async_engine_needs_no_other_driver() -> None:
    chosen = dialect.MovedPostgres.get_async_dialect_cls(None)
    assert chosen.is_async
    assert chosen.get_pool_class(None) is sa.pool.AsyncAdaptedQueuePool


def test_mysql_s_constructs(tmp_path: Path) -> None:
    table = sa.Table(
        "visits", sa.MetaData(), sa.Column("page", sa.String(60), primary_key=True),
        sa.Column("number", mysql.INTEGER(unsigned=True)),
    )  # fmt: skip
    new = mysql.insert(table).values(page="home", number=1)
    upsert = new.on_duplicate_key_update(number=table.c.number + new.inserted.number)
    text = str(upsert.compile(dialect=dialect.MovedMysql()))
    assert "ON CONFLICT DO UPDATE SET number = (visits.number + excluded.number)" in text
    like = str(sa.select(table.c.page.like("a%")).compile(dialect=dialect.MovedMysql()))
    assert "GLOB" not in like


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"bb": 1, "a": [True, None]}, '{"a": [true, null], "bb": 1}'),
        ({"é": "ü\n", "z": 1e20}, '{"z": 100000000000000000000, "é": "ü\\n"}'),
        ([-0.0, 1.5e-7], "[0.0, 0.00000015]"),
        ({1: "x"}, '{"1": "x"}'),
    ],
)
def test_documents_are_written_as_jsonb_prints_them(document: Any, text: str) -> None:
    assert values.write_jsonb(json.loads(json.dumps(document))) == text


def test_arrays_are_written_as_to_json_does() -> None:
    moment = dt.datetime.fromisoformat("2024-01-02T03:04")
    written = values.write_array([Decimal("1.50"), None, moment, [True]])
    assert written == '[1.50,null,"2024-01-02T03:04:00",[true]]'
    with pytest.raises(ValueError, match="NaN"):
        values.write_jsonb([float("nan")])


def test_the_text_of_an_array_is_postgresql_s() -> None:
    assert assignment.write_text(["a b", "", "null", 'q"'], sqlite3) == '{"a b","","null","q\\""}'


def test_the_plan_knows_the_functions_that_have_rules() -> None:
    assert frozenset(functions.POSTGRESQL) == names.POSTGRESQL
    assert frozenset(functions.MYSQL) == names.MYSQL


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("b", "c", 1), "2"),
        (("b", "c", "0"), "1"),
        (("b", "c", -1), "2"),
        (("b", "c", "x"), None),
        (("b", "c"), "[1,2]"),
        (("nothing", "c"), None),
        (("zz",), "1.5"),
    ],
)
def test_paths_into_documents(session: orm.Session, path: Any, text: str | None) -> None:
    found = session.scalar(sa.select(Part.specs[path].astext).where(Part.sku == "a"))
    assert found == text


def test_a_path_leads_to_documents_and_values(session: orm.Session) -> None:
    query = sa.select(Part.specs["b", "c"], Part.specs["b", "c", 0].as_integer())
    assert session.execute(query.where(Part.sku == "a")).one() == ([1, 2], 1)


def test_a_number_becomes_an_integer_by_rounding(session: orm.Session) -> None:
    query = sa.select(sa.cast(Part.price, sa.Integer), sa.cast(Part.stock, sa.Integer))
    assert session.execute(query.order_by(Part.id)).all() == [(20, 1), (5, None)]


def insert_text(session: orm.Session, sql: str, **given: Any) -> None:
    session.execute(sa.text(sql), given)


def test_numbers_that_texts_were_given_are_used_up_too(session: orm.Session) -> None:
    """As above, by SQL that the app wrote itself; one that names the key takes no number."""
    plain = "INSERT INTO parts (sku, price) VALUES (:sku, 1)"
    with pytest.raises(sa.exc.IntegrityError):
        insert_text(session, plain, sku="a")
    session.rollback()
    insert_text(session, plain, sku="c")
    session.rollback()
    insert_text(session, f"{plain} ON CONFLICT (sku) DO NOTHING", sku="a")
    with pytest.raises(sa.exc.IntegrityError):
        insert_text(session, "insert into Parts(id, sku, price) values (1, :sku, 1)", sku="z")
    session.rollback()
    insert_text(session, plain, sku="d")
    session.commit()
    assert session.execute(sa.text("SELECT max(id) FROM parts")).scalar_one() == 6


def test_a_text_without_columns_gives_the_key_itself(session: orm.Session) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        insert_text(session, "INSERT INTO parts SELECT * FROM parts")
    session.rollback()
    session.add(last := Part(sku="d", price=1))
    session.commit()
    assert last.id == 3
