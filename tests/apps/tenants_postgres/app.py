"""Projects and tasks of many firms in one database; a header says which firm asks."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from decimal import Decimal

from flask import Flask, abort, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 2, "max_overflow": 3}
db = SQLAlchemy(app)
pool = ThreadPoolExecutor(max_workers=2)


class Plan(db.Model):
    __tablename__ = "plans"
    code = db.Column(db.String(10), primary_key=True)
    title = db.Column(db.Text, nullable=False)
    seats = db.Column(db.Integer, nullable=False)


class Tenant(db.Model):
    __tablename__ = "tenants"
    slug = db.Column(db.String(30), primary_key=True)
    name = db.Column(db.Text, nullable=False)
    plan = db.Column(db.String(10), db.ForeignKey("plans.code"), nullable=False)


class Project(db.Model):
    __tablename__ = "projects"
    id = db.Column(db.Integer, primary_key=True)
    tenant = db.Column(db.String(30), db.ForeignKey("tenants.slug"), nullable=False)
    title = db.Column(db.Text, nullable=False)
    budget = db.Column(db.Numeric(10, 2))
    opened = db.Column(db.DateTime(timezone=True), nullable=False, server_default=func.now())
    tasks = db.relationship("Task", cascade="all, delete-orphan", order_by="Task.id")


class Task(db.Model):
    __tablename__ = "tasks"
    id = db.Column(db.BigInteger, primary_key=True)
    project = db.Column(db.Integer, db.ForeignKey("projects.id"), nullable=False)
    title = db.Column(db.Text, nullable=False)
    done = db.Column(db.Boolean, nullable=False, default=False)
    minutes = db.Column(db.Integer, nullable=False, default=0)


def tenant():
    return request.headers.get("X-Tenant", "")


def find_project(number):
    project = db.session.scalar(select(Project).filter_by(id=number, tenant=tenant()))
    return project or abort(404)


def show(project):
    return {
        "id": project.id,
        "title": project.title,
        "budget": None if project.budget is None else str(project.budget),
        "opened": project.opened.isoformat(),
        "tasks": [
            {"id": t.id, "title": t.title, "done": t.done, "minutes": t.minutes}
            for t in project.tasks
        ],
    }


@app.get("/me")
def me():
    found = db.session.execute(
        select(Tenant.name, Plan.title, Plan.seats).join(Plan, Plan.code == Tenant.plan).where(
            Tenant.slug == tenant()
        )
    ).first()
    return jsonify(list(found) if found else abort(404))


@app.get("/projects")
def list_projects():
    rows = db.session.scalars(select(Project).filter_by(tenant=tenant()).order_by(Project.id))
    return jsonify([{"id": row.id, "title": row.title} for row in rows])


@app.post("/projects")
def add_project():
    given = request.get_json()
    budget = given.get("budget")
    project = Project(
        tenant=tenant(),
        title=given["title"],
        budget=None if budget is None else Decimal(str(budget)),
        opened=datetime(2026, 2, 1, tzinfo=timezone.utc),
    )
    db.session.add(project)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return jsonify(error="there is such a project"), 409
    return jsonify(show(project)), 201


@app.post("/projects/<int:number>/tasks")
def add_task(number):
    project = find_project(number)
    task = Task(title=request.get_json()["title"])
    project.tasks.append(task)
    db.session.commit()
    return jsonify(id=task.id), 201


@app.get("/projects/<int:number>")
def read_project(number):
    return jsonify(show(find_project(number)))


@app.delete("/projects/<int:number>")
def delete_project(number):
    db.session.delete(find_project(number))
    db.session.commit()
    return "", 204


@app.post("/projects/<int:number>/tasks/<int:task>/done")
def finish(number, task):
    found = next((t for t in find_project(number).tasks if t.id == task), None) or abort(404)
    found.done = True
    found.minutes += request.get_json().get("minutes", 0)
    db.session.commit()
    return jsonify(done=found.done, minutes=found.minutes)


@app.get("/work")
def work():
    rows = db.session.execute(
        text(
            "SELECT project, tasks, minutes FROM open_work WHERE tenant = :tenant ORDER BY project"
        ),
        {"tenant": tenant()},
    )
    return jsonify([[int(value) for value in row] for row in rows])


def count_tasks(slug):
    with app.app_context():
        return db.session.scalar(
            select(func.count(Task.id)).join(Project).where(Project.tenant == slug)
        )


@app.get("/count")
def count():
    return jsonify(count=pool.submit(count_tasks, tenant()).result())


def note_usage():
    """Keep how many tasks each firm has today; a scheduled job."""
    day = date(2026, 3, 1)
    counts = db.session.execute(
        select(Tenant.slug, func.count(Task.id))
        .outerjoin(Project, Project.tenant == Tenant.slug)
        .outerjoin(Task, Task.project == Project.id)
        .group_by(Tenant.slug)
        .order_by(Tenant.slug)
    ).all()
    for slug, tasks in counts:
        db.session.execute(
            text("INSERT INTO usage_days (tenant, day, tasks) VALUES (:slug, :day, :tasks)"),
            {"slug": slug, "day": day.isoformat(), "tasks": tasks},
        )
    db.session.commit()
