"""A small shop on PostgreSQL: orders are booked in transactions, some of which must roll back."""

import os
from datetime import datetime, timezone
from decimal import Decimal

from flask import Flask, abort, jsonify, request
from sqlalchemy import ForeignKey, Numeric, create_engine, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.types import DateTime, Text

app = Flask(__name__)
engine = create_engine(os.environ["DATABASE_URL"], pool_size=5, pool_pre_ping=True)


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    stock: Mapped[int]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    details: Mapped[dict] = mapped_column(JSONB)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(Text)
    placed: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    lines: Mapped[list["Line"]] = relationship(back_populates="order")


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    amount: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines")


def show(product):
    return {
        "id": product.id,
        "name": product.name,
        "price": str(product.price),
        "stock": product.stock,
        "tags": product.tags,
        "details": product.details,
    }


@app.get("/products")
def list_products():
    with Session(engine) as session:
        query = select(Product).order_by(Product.id)
        if tag := request.args.get("tag"):
            query = query.where(Product.tags.contains([tag]))
        return jsonify([show(product) for product in session.scalars(query)])


@app.get("/products/<int:product_id>")
def get_product(product_id):
    with Session(engine) as session:
        product = session.get(Product, product_id) or abort(404)
        return jsonify(show(product))


@app.post("/orders")
def place_order():
    asked = request.get_json()
    with Session(engine) as session, session.begin():
        order = Order(customer=asked["customer"], placed=datetime.now(timezone.utc))
        session.add(order)
        session.flush()
        for product_id, amount in asked.get("lines", []):
            product = session.get(Product, product_id, with_for_update=True)
            if product is None or product.stock < amount:
                session.rollback()
                return jsonify(error="out of stock"), 409
            product.stock -= amount
            session.add(Line(order_id=order.id, product_id=product_id, amount=amount))
        return jsonify(id=order.id), 201


@app.get("/orders/<int:order_id>")
def get_order(order_id):
    with Session(engine) as session:
        order = session.get(Order, order_id) or abort(404)
        lines = [[line.product_id, line.amount] for line in order.lines]
        return jsonify(customer=order.customer, lines=lines)


@app.get("/totals")
def totals():
    with Session(engine) as session:
        total = func.sum(Line.amount * Product.price)
        query = select(Product.name, total).join(Line, Line.product_id == Product.id)
        rows = session.execute(query.group_by(Product.name).order_by(Product.name))
        return jsonify({name: str(amount) for name, amount in rows})
