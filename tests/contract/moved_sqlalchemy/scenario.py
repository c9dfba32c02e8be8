"""What an app on PostgreSQL does with SQLAlchemy 1.4 to 2.1; prints every answer as a line of JSON.

python scenario.py make URL         makes the tables and some rows on the server
python scenario.py ask URL [FILE CATALOGUE]   asks the server, or what was moved of it into FILE
"""

import datetime as dt
import enum
import json
import os
import pathlib
import sys
import uuid
import warnings
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload

Base = declarative_base()


class Status(enum.Enum):
    new = "new"
    paid = "paid"
    sent = "sent"


class Customer(Base):
    __tablename__ = "customers"
    id = sa.Column(pg.UUID(as_uuid=True), primary_key=True)
    name = sa.Column(sa.String(30), nullable=False, unique=True)
    tags = sa.Column(pg.ARRAY(sa.Text), nullable=False, default=list)
    prefers = sa.Column(pg.JSONB, nullable=False, default=dict)
    active = sa.Column(sa.Boolean, nullable=False, default=True)
    orders = relationship("Order", back_populates="customer", order_by="Order.id")


class Order(Base):
    __tablename__ = "orders"
    id = sa.Column(sa.Integer, primary_key=True)
    customer_id = sa.Column(sa.ForeignKey("customers.id"), nullable=False)
    status = sa.Column(pg.ENUM(Status, name="status"), nullable=False, default=Status.new)
    total = sa.Column(sa.Numeric(10, 2), nullable=False)
    placed = sa.Column(sa.DateTime(timezone=True), nullable=False)
    due = sa.Column(sa.Date)
    took = sa.Column(pg.INTERVAL)
    weight = sa.Column(sa.Float)
    doc = sa.Column(sa.JSON)
    customer = relationship(Customer, back_populates="orders")


NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=dt.UTC)


def make(engine):
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number, name in enumerate(["Ada", "bob", "Čeněk", "d_%"]):
            customer = Customer(
                id=uuid.UUID(int=number + 1), name=name, tags=["x", f"t{number}"][: number % 3],
                prefers={"n": number, "deep": {"list": [number, None, 1.5]}}, active=number != 1,
            )  # fmt: skip
            session.add(customer)
            for place in range(number):
                customer.orders.append(
                    Order(
                        status=list(Status)[place % 3], total=Decimal(place * 7) / 4,
                        placed=NOON + dt.timedelta(days=place, hours=number), weight=place / 3,
                        due=dt.date(2024, 3, 1 + place) if place else None,
                        took=dt.timedelta(minutes=90 * place), doc={"z": [place], "a": None},
                    )
                )  # fmt: skip
        session.commit()


def read_rows(session):
    for kind in (Customer, Order):
        names = [column.key for column in kind.__table__.columns]
        for row in session.execute(sa.select(kind).order_by(kind.id)).scalars():
            yield [getattr(row, name) for name in names]


def ask(session, query):
    """Return the rows of a query, or what is raised instead."""
    try:
        return [list(row) for row in session.execute(query)]
    except Exception as error:
        session.rollback()
        return ["raised", type(error).__name__, str(error)[:200]]


def filter_rows(session):
    conditions = [
        Customer.tags.contains(["x"]), Customer.tags.overlap(["t2", "none"]), Customer.tags[1] == "x",
        sa.literal("x") == sa.any_(Customer.tags), Customer.prefers["n"].astext == "2",
        Customer.prefers.contains({"n": 3}), Customer.prefers.has_key("deep"),
        Customer.prefers[("deep", "list", "0")].astext == "1",
        Customer.name.like("%b"), Customer.name.ilike("B%"), Customer.name.like("d\\_\\%"),
        Customer.name.contains("_", autoescape=True), ~Customer.active, Customer.active.is_(True),
        Customer.id == uuid.UUID(int=2), Customer.id.in_([uuid.UUID(int=1), uuid.UUID(int=9)]),
        Customer.orders.any(Order.status == Status.paid), sa.func.lower(Customer.name) == "ada",
        sa.func.char_length(Customer.name) > 3, Customer.name.in_(["Ada", "bob"]),
    ]  # fmt: skip
    for condition in conditions:
        query = sa.select(Customer.name).where(condition).order_by(Customer.id)
        yield ask(session, query)


def filter_orders(session):
    conditions = [
        Order.placed > NOON + dt.timedelta(days=1), Order.due == dt.date(2024, 3, 2),
        Order.due.is_(None), Order.total > Decimal("1.75"), Order.status != Status.new,
        Order.took == dt.timedelta(minutes=90), Order.total.between(1, 3),
        Order.placed == dt.datetime(2024, 2, 29, 14, 0, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    ]  # fmt: skip
    for condition in conditions:
        yield ask(session, sa.select(Order.id).where(condition).order_by(Order.id))


def compute(session):
    count = sa.func.count(Order.id)
    queries = [
        sa.select(Customer.name, count, sa.func.sum(Order.total)).join(Order).group_by(Customer.name)
        .order_by(count.desc(), Customer.name),
        sa.select(Order.status, sa.func.round(sa.func.avg(Order.total), 2)).group_by(Order.status).order_by(Order.status),
        sa.select(sa.func.max(Order.placed), sa.func.min(Order.due), sa.func.max(Order.total)),
        sa.select(Order.due).order_by(Order.due, Order.id), sa.select(Order.due).order_by(Order.due.desc(), Order.id),
        sa.select(Order.id, sa.func.row_number().over(partition_by=Order.customer_id, order_by=Order.due)),
        sa.select(sa.func.coalesce(Order.weight, 0.0) * 3).order_by(Order.id),
        sa.select(sa.func.date_trunc("day", Order.placed)).order_by(Order.id),
        sa.select(sa.case((Order.total > 2, "much"), else_="little")).order_by(Order.id),
        sa.select(sa.cast(Order.total, sa.Integer), sa.cast(Order.id, sa.Text)).order_by(Order.id),
        sa.select(sa.func.string_agg(Customer.name, ", ")).where(Customer.active),
        sa.select(sa.func.array_length(Customer.tags, 1)).order_by(Customer.id),
        sa.select(Customer.prefers["deep"]["list"]).order_by(Customer.id),
        sa.union_all(sa.select(Customer.name), sa.select(sa.literal("one more"))).order_by("name"),
    ]  # fmt: skip
    for query in queries:
        yield ask(session, query)


def load(session):
    query = sa.select(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)
    for customer in session.execute(query).scalars():
        yield [customer.name, [[o.id, o.status, o.customer is customer] for o in customer.orders]]


def write(session):
    ada = session.get(Customer, uuid.UUID(int=1))
    ada.tags = [*ada.tags, "added", "ü\"',{}"]
    ada.prefers = {**ada.prefers, "zz": Decimal(0) == 0, "bb": [1.0, 10**20]}
    ada.orders.append(Order(total="3.005", placed=NOON, took=None, doc=[1, {"k": None}]))
    session.commit()
    yield [ada.tags, ada.prefers, ada.orders[0].id, ada.orders[0].total, ada.orders[0].doc]
    new = pg.insert(Customer).values(
        id=uuid.UUID(int=50), name="Ada", tags=[], prefers={}, active=False
    )
    upsert = new.on_conflict_do_update(
        index_elements=[Customer.name], set_={"active": new.excluded.active}
    )
    yield [list(row) for row in session.execute(upsert.returning(Customer.id, Customer.active))]
    done = session.execute(sa.update(Order).where(Order.total > 2).values(total=Order.total + 1))
    yield done.rowcount
    gone = sa.delete(Order).where(Order.due == dt.date(2024, 3, 3)).returning(Order.id, Order.total)
    yield sorted(list(row) for row in session.execute(gone))
    session.commit()
    yield list(filter_orders(session))


def fail(session):
    wrong = [
        Customer(id=uuid.UUID(int=60), name="Ada"), Customer(id=uuid.UUID(int=61)),
        Order(total=1, placed=NOON, customer_id=uuid.UUID(int=62)),
        Customer(id=uuid.UUID(int=63), name="x" * 31),
        Order(total=10**8, placed=NOON, customer_id=uuid.UUID(int=1)),
        Order(id=2**31, total=1, placed=NOON, customer_id=uuid.UUID(int=1)),
    ]  # fmt: skip
    for made in wrong:
        session.add(Customer(id=uuid.uuid4(), name="goes with it"))
        session.add(made)
        try:
            session.commit()
        except sa.exc.DBAPIError as error:
            session.rollback()
            yield type(error).__name__
    with session.begin_nested() as inner:
        session.add(Customer(id=uuid.UUID(int=70), name="taken back"))
        session.flush()
        inner.rollback()
    session.add(Order(total=1, placed=NOON, customer_id=uuid.UUID(int=1)))
    session.commit()
    yield (
        session.execute(sa.select(sa.func.max(Order.id), sa.func.count(Customer.id.distinct())))
        .one()
        ._asdict()
    )


def show(value):
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return ["moment", value.astimezone(dt.UTC).isoformat()]
    return [type(value).__name__, str(value)]


def lead_to(path, catalogue):
    """Let URLs of the server lead to a file that was moved from it, by the Worker's psycopg2."""
    sys.path.insert(0, os.environ["SCENARIO_SOURCE"])
    from edgelift.worker import sqlalchemy_moved
    from edgelift.worker.moved import finding
    from edgelift.worker.patches import postgres_connections
    from edgelift.worker.postgres.installing import install

    moved = [{"name": "main", "origin": "postgresql", "path": path,
              "catalogue": json.loads(pathlib.Path(catalogue).read_text())}]  # fmt: skip
    finding.configure(moved)
    install(("psycopg2",), blocking=False)
    postgres_connections.install()
    sqlalchemy_moved.install(moved)


def main():
    warnings.simplefilter("ignore")
    if len(sys.argv) > 3:
        lead_to(*sys.argv[3:])
    engine = sa.create_engine(sys.argv[2], future=True)
    with engine.connect() as connection:
        assert connection.dialect.name == "postgresql"
    if sys.argv[1] == "make":
        make(engine)
        return
    for work in (read_rows, filter_rows, filter_orders, compute, load, write, fail):
        with Session(engine, future=True) as session:
            try:
                for number, answer in enumerate(work(session)):
                    print(json.dumps([work.__name__, number, answer], default=show), flush=True)
            except Exception as error:
                print(json.dumps([work.__name__, "stopped", repr(error)[:300]]), flush=True)


if __name__ == "__main__":
    main()
