"""An inn on MariaDB: rooms, bookings that must not overlap, and a counter of visits."""

import os
from datetime import date, datetime, timedelta
from decimal import Decimal

from flask import Flask, abort, g, jsonify, request
from sqlalchemy import Date, ForeignKey, Numeric, String, create_engine, func, select, text
from sqlalchemy.dialects.mysql import BIGINT, DATETIME, ENUM, INTEGER, JSON, LONGTEXT, TINYINT, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, relationship

app = Flask(__name__)
engine = create_engine(
    os.environ["DATABASE_URL"],
    pool_recycle=280,
    isolation_level="READ COMMITTED",
    connect_args={"charset": "utf8mb4"},
)


class Base(DeclarativeBase):
    pass


class Room(Base):
    __tablename__ = "rooms"
    __table_args__ = {"mysql_engine": "InnoDB"}
    id = mapped_column(INTEGER(unsigned=True), primary_key=True)
    name = mapped_column(String(40), nullable=False, unique=True)
    kind = mapped_column(ENUM("single", "double", "suite"), nullable=False, default="double")
    price = mapped_column(Numeric(8, 2), nullable=False)
    smoking = mapped_column(TINYINT(1), nullable=False, default=0)
    extras = mapped_column(JSON, nullable=False, default=dict)
    bookings = relationship("Booking", back_populates="room", order_by="Booking.id")


class Booking(Base):
    __tablename__ = "bookings"
    id = mapped_column(BIGINT, primary_key=True)
    room_id = mapped_column(INTEGER(unsigned=True), ForeignKey("rooms.id"), nullable=False)
    guest = mapped_column(String(80), nullable=False)
    arrives = mapped_column(Date, nullable=False)
    nights = mapped_column(INTEGER, nullable=False)
    paid = mapped_column(Numeric(10, 2), nullable=False, default=Decimal("0.00"))
    note = mapped_column(LONGTEXT)
    made = mapped_column(DATETIME(fsp=6), nullable=False)
    room = relationship(Room, back_populates="bookings")


class Visit(Base):
    __tablename__ = "visits"
    page = mapped_column(String(60), primary_key=True)
    number = mapped_column(INTEGER, nullable=False)


def session():
    if "session" not in g:
        g.session = Session(engine)
    return g.session


@app.teardown_appcontext
def close(_error):
    if "session" in g:
        g.session.close()


def show_room(room):
    return {
        "id": room.id,
        "name": room.name,
        "kind": room.kind,
        "price": str(room.price),
        "smoking": bool(room.smoking),
        "extras": room.extras,
    }


def show_booking(booking):
    return {
        "id": booking.id,
        "room": booking.room.name,
        "guest": booking.guest,
        "arrives": booking.arrives.isoformat(),
        "nights": booking.nights,
        "paid": str(booking.paid),
        "note": booking.note,
    }


def read_text(asked, name, length):
    value = asked.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= length:
        abort(400)
    return value


def read_number(asked, name, most):
    value = asked.get(name)
    if type(value) is not int or not 0 <= value <= most:
        abort(400)
    return value


@app.get("/rooms")
def list_rooms():
    query = select(Room).order_by(Room.kind, Room.price.desc())
    if name := request.args.get("name"):
        query = query.where(Room.name == name)
    if part := request.args.get("like"):
        query = query.where(Room.name.like(f"%{part}%"))
    return jsonify([show_room(room) for room in session().scalars(query)])


@app.post("/rooms")
def add_room():
    asked = request.get_json()
    extras = asked.get("extras", {})
    if not isinstance(extras, dict):
        abort(400)
    room = Room(
        name=read_text(asked, "name", 40),
        price=Decimal(read_number(asked, "cents", 10_000_00)) / 100,
        extras=extras,
    )
    session().add(room)
    try:
        session().commit()
    except IntegrityError:
        session().rollback()
        return jsonify(error="there is such a room"), 409
    return jsonify(show_room(room)), 201


@app.get("/rooms/<int:room_id>/bookings")
def list_bookings(room_id):
    room = session().get(Room, room_id) or abort(404)
    return jsonify([show_booking(booking) for booking in room.bookings])


@app.post("/bookings")
def book():
    asked = request.get_json()
    guest, nights = read_text(asked, "guest", 80), read_number(asked, "nights", 60)
    try:
        arrives = date.fromisoformat(read_text(asked, "arrives", 10))
        leaves = arrives + timedelta(days=nights)
    except (ValueError, OverflowError):
        abort(400)
    room_id = read_number(asked, "room", 2**31 - 1)
    room = session().get(Room, room_id, with_for_update=True) or abort(404)
    booking = Booking(room=room, guest=guest, arrives=arrives, nights=nights, made=datetime.now())
    session().add(booking)
    session().flush()
    for other in room.bookings:
        end = other.arrives + timedelta(days=other.nights)
        if other is not booking and other.arrives < leaves and arrives < end:
            session().rollback()
            return jsonify(error="taken"), 409
    session().commit()
    return jsonify(show_booking(booking)), 201


@app.post("/bookings/<int:booking_id>/pay")
def pay(booking_id):
    booking = session().get(Booking, booking_id) or abort(404)
    booking.paid += Decimal(read_number(request.get_json(), "cents", 10_000_00)) / 100
    session().commit()
    return jsonify(show_booking(booking))


@app.delete("/bookings/<int:booking_id>")
def cancel(booking_id):
    session().delete(session().get(Booking, booking_id) or abort(404))
    session().commit()
    return "", 204


@app.post("/visits/<page>")
def visit(page):
    new = insert(Visit).values(page=page[:60], number=1)
    session().execute(new.on_duplicate_key_update(number=Visit.number + 1))
    session().commit()
    return jsonify(number=session().scalar(select(Visit.number).where(Visit.page == page[:60])))


@app.get("/reports/months")
def report_months():
    month = func.year(Booking.arrives) * 100 + func.month(Booking.arrives)
    query = select(month, func.count(), func.sum(Booking.paid)).group_by(month).order_by(month)
    return jsonify([[m, n, str(paid)] for m, n, paid in session().execute(query)])


@app.get("/reports/rooms")
def report_rooms():
    rows = session().execute(
        text(
            "SELECT `r`.`name`, COUNT(b.id) AS stays, IFNULL(SUM(b.paid), 0) AS paid, "
            "CONCAT(r.kind, '/', r.smoking) AS label FROM rooms r "
            "LEFT JOIN bookings b ON b.room_id = r.id WHERE r.price >= :least "
            "GROUP BY r.id, r.name, r.kind, r.smoking ORDER BY r.id LIMIT 0, 50"
        ),
        {"least": 10},
    )
    return jsonify([[name, stays, float(paid), label] for name, stays, paid, label in rows])
