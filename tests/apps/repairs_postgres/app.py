"""The desk of a repair shop: customers, jobs, parts on the shelf and what was built in."""

import enum
import os
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from flask import Flask, abort, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, INTERVAL, JSONB, UUID, insert
from sqlalchemy.exc import IntegrityError

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
    "pool_size": 5,
    "pool_pre_ping": True,
    "connect_args": {"connect_timeout": 10, "application_name": "repairs"},
}
db = SQLAlchemy(app)


class Status(enum.Enum):
    received = "received"
    waiting_for_parts = "waiting_for_parts"
    in_work = "in_work"
    done = "done"
    collected = "collected"


class Customer(db.Model):
    __tablename__ = "customers"
    id = db.Column(UUID(as_uuid=True), primary_key=True, default=uuid.uuid4)
    name = db.Column(db.Text, nullable=False)
    email = db.Column(db.String(120), nullable=False, unique=True)
    phones = db.Column(ARRAY(db.Text), nullable=False, default=list)
    prefers = db.Column(JSONB, nullable=False, default=dict)
    active = db.Column(db.Boolean, nullable=False, default=True)
    since = db.Column(db.Date, nullable=False, default=lambda: date(2024, 6, 1))
    jobs = db.relationship("Job", back_populates="customer", order_by="Job.id")


class Part(db.Model):
    __tablename__ = "parts"
    id = db.Column(db.Integer, primary_key=True)
    sku = db.Column(db.String(20), nullable=False, unique=True)
    title = db.Column(db.Text, nullable=False)
    price = db.Column(db.Numeric(10, 2), nullable=False)
    stock = db.Column(db.Integer, nullable=False)
    fits = db.Column(ARRAY(db.Text), nullable=False, default=list)
    specs = db.Column(JSONB)


class Job(db.Model):
    __tablename__ = "jobs"
    id = db.Column(db.BigInteger, primary_key=True)
    customer_id = db.Column(UUID(as_uuid=True), db.ForeignKey("customers.id"), nullable=False)
    device = db.Column(db.Text, nullable=False)
    status = db.Column(ENUM(Status, name="job_status"), nullable=False, default=Status.received)
    received_at = db.Column(
        db.DateTime(timezone=True), nullable=False, server_default=func.now()
    )
    due = db.Column(db.Date)
    estimate = db.Column(db.Numeric(10, 2))
    worked = db.Column(INTERVAL, nullable=False, default=timedelta(0))
    notes = db.Column(db.Text)
    customer = db.relationship(Customer, back_populates="jobs")
    parts = db.relationship(
        "JobPart", back_populates="job", cascade="all, delete-orphan", order_by="JobPart.part_id"
    )
    events = db.relationship("Event", cascade="all, delete-orphan", order_by="Event.id")


class JobPart(db.Model):
    __tablename__ = "job_parts"
    job_id = db.Column(db.BigInteger, db.ForeignKey("jobs.id"), primary_key=True)
    part_id = db.Column(db.Integer, db.ForeignKey("parts.id"), primary_key=True)
    amount = db.Column(db.Integer, nullable=False)
    price = db.Column(db.Numeric(10, 2), nullable=False)
    job = db.relationship(Job, back_populates="parts")
    part = db.relationship(Part)


class Event(db.Model):
    __tablename__ = "job_events"
    id = db.Column(db.BigInteger, primary_key=True)
    job_id = db.Column(db.BigInteger, db.ForeignKey("jobs.id"), nullable=False)
    kind = db.Column(db.Text, nullable=False)
    detail = db.Column(JSONB, nullable=False, default=dict)


def show_customer(customer):
    return {
        "id": str(customer.id),
        "name": customer.name,
        "email": customer.email,
        "phones": customer.phones,
        "prefers": customer.prefers,
        "active": customer.active,
        "since": customer.since.isoformat(),
    }


def show_part(part):
    return {
        "id": part.id,
        "sku": part.sku,
        "title": part.title,
        "price": str(part.price),
        "stock": part.stock,
        "fits": part.fits,
        "specs": part.specs,
    }


def show_job(job):
    return {
        "id": job.id,
        "customer": job.customer.name,
        "device": job.device,
        "status": job.status.value,
        "received_at": job.received_at.isoformat(),
        "due": job.due and job.due.isoformat(),
        "estimate": None if job.estimate is None else str(job.estimate),
        "worked_s": job.worked.total_seconds(),
        "notes": job.notes,
        "parts": [[p.part.sku, p.amount, str(p.price)] for p in job.parts],
        "events": [[e.kind, e.detail] for e in job.events],
    }


@app.get("/customers")
def list_customers():
    query = select(Customer).order_by(Customer.name.desc(), Customer.email)
    if found := request.args.get("q"):
        query = query.where(Customer.name.ilike(f"%{found}%"))
    if language := request.args.get("language"):
        query = query.where(Customer.prefers["language"].astext == language)
    return jsonify([show_customer(c) for c in db.session.scalars(query)])


@app.get("/customers/<uuid:customer_id>")
def get_customer(customer_id):
    customer = db.session.get(Customer, customer_id) or abort(404)
    return jsonify(show_customer(customer), [job.id for job in customer.jobs])


@app.post("/customers")
def add_customer():
    asked = request.get_json()
    customer = Customer(
        name=asked["name"],
        email=asked["email"],
        phones=asked.get("phones", []),
        prefers=asked.get("prefers", {}),
    )
    db.session.add(customer)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return jsonify(error="this email is known"), 409
    return jsonify(name=customer.name, prefers=customer.prefers), 201


@app.get("/parts")
def list_parts():
    query = select(Part).order_by(Part.price, Part.id)
    if device := request.args.get("fits"):
        query = query.where(Part.fits.contains([device]))
    if prefix := request.args.get("title"):
        query = query.where(Part.title.like(f"{prefix}%"))
    if key := request.args.get("spec"):
        query = query.where(Part.specs.has_key(key))
    return jsonify([show_part(part) for part in db.session.scalars(query)])


@app.put("/parts/<sku>")
def put_part(sku):
    asked = request.get_json()
    new = insert(Part).values(
        sku=sku,
        title=asked["title"],
        price=Decimal(asked["price"]),
        stock=asked["stock"],
        fits=asked.get("fits", []),
        specs=asked.get("specs"),
    )
    upsert = new.on_conflict_do_update(
        index_elements=[Part.sku],
        set_={"price": new.excluded.price, "stock": Part.stock + new.excluded.stock},
    ).returning(Part.title, Part.price, Part.stock)
    title, price, stock = db.session.execute(upsert).one()
    db.session.commit()
    return jsonify(title=title, price=str(price), stock=stock)


@app.get("/jobs")
def list_jobs():
    query = select(Job).order_by(Job.status, Job.due, Job.id)
    if status := request.args.get("status"):
        query = query.where(Job.status == Status[status])
    if since := request.args.get("since"):
        moment = datetime.fromisoformat(since).replace(tzinfo=timezone.utc)
        query = query.where(Job.received_at >= moment)
    return jsonify([show_job(job) for job in db.session.scalars(query)])


@app.get("/jobs/<int:job_id>")
def get_job(job_id):
    return jsonify(show_job(db.session.get(Job, job_id) or abort(404)))


@app.post("/jobs")
def add_job():
    asked = request.get_json()
    job = Job(
        customer_id=uuid.UUID(asked["customer"]),
        device=asked["device"],
        due=date.fromisoformat(asked["due"]) if asked.get("due") else None,
        notes=asked.get("notes"),
    )
    job.events.append(Event(kind="received", detail={"over": "the counter", "by": "desk"}))
    db.session.add(job)
    db.session.flush()
    for sku, amount in asked.get("parts", []):
        part = db.session.scalar(select(Part).where(Part.sku == sku).with_for_update())
        if part is None or part.stock < amount:
            db.session.rollback()
            return jsonify(error=f"too few of {sku}"), 409
        part.stock -= amount
        job.parts.append(JobPart(part=part, amount=amount, price=part.price))
    db.session.commit()
    return jsonify(id=job.id, parts=len(job.parts)), 201


@app.post("/jobs/<int:job_id>/work")
def work(job_id):
    job = db.session.get(Job, job_id) or abort(404)
    asked = request.get_json()
    job.worked += timedelta(minutes=asked["minutes"])
    job.status = Status[asked.get("status", "in_work")]
    job.events.append(Event(kind="worked", detail={"minutes": asked["minutes"], "done": False}))
    db.session.commit()
    return jsonify(show_job(job))


@app.delete("/jobs/<int:job_id>")
def delete_job(job_id):
    job = db.session.get(Job, job_id) or abort(404)
    db.session.delete(job)
    db.session.commit()
    return "", 204


@app.get("/reports/parts")
def report_parts():
    worth = func.sum(JobPart.amount * JobPart.price)
    query = (
        select(Part.sku, func.sum(JobPart.amount), worth)
        .join(JobPart, JobPart.part_id == Part.id)
        .group_by(Part.sku)
        .order_by(worth.desc(), Part.sku)
    )
    return jsonify([[s, n, str(w)] for s, n, w in db.session.execute(query)])


@app.get("/reports/customers")
def report_customers():
    rows = db.session.execute(
        text(
            """
            SELECT c.name, count(j.id) AS jobs,
                   count(*) FILTER (WHERE j.status = 'done') AS done,
                   coalesce(sum(j.estimate), 0)::float AS estimated
            FROM customers c LEFT JOIN jobs j ON j.customer_id = c.id
            WHERE c.active = :active
            GROUP BY c.name ORDER BY c.name
            """
        ),
        {"active": True},
    )
    return jsonify([dict(row._mapping) for row in rows])


@app.get("/reports/shelf")
def report_shelf():
    rows = db.session.execute(text("SELECT sku, price, stock > 0 AS there FROM parts ORDER BY sku"))
    return jsonify([[sku, str(price), bool(there)] for sku, price, there in rows])
