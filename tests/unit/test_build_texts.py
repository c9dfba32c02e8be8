"""Before the build an app's SQL that the Worker could not run is told with file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgelift.journal import Journal
from edgelift.model.inventory import Inventory
from edgelift.model.move_plan import MovePlan
from edgelift.model.plan import PackagePlan, Plan
from edgelift.model.vocabulary import Vocabulary
from edgelift.project import AppSection, Project, Settings
from edgelift.sources.recorded_sql import DOCUMENT, RecordedStatement
from edgelift.sources.source_code.view import build_view
from edgelift.stages.build.driver_texts import check_driver_texts
from edgelift.stages.build.parts import Database, Parts, _read_texts

CASES = Path(__file__).resolve().parents[1] / "cases" / "moved_drivers"
DJANGO = """from django.db import connection
application = None
def show():
    cursor = connection.cursor()
    cursor.execute("SELECT name FROM people WHERE id = %s", [1])
    cursor.execute("SELECT id FROM people WHERE made > now() - %s::interval", ["1 day"])
    cursor.execute("SELECT nope FROM people")
"""
SQLALCHEMY = """from sqlalchemy import text
application = None
def show(session):
    session.execute(text("SELECT name FROM people WHERE id = :id"), {"id": 1})
    session.execute(text("SELECT nope FROM people WHERE id = :id"), {"id": 1})
    session.execute(text("SELECT name::int FROM people"))
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "state" / "journal.db")) as made:
        made.write_document("inventory", Inventory(framework="wsgi", entry="app:application"))
        yield made


def judge(folder: Path, journal: Journal, source: str, package: str) -> list[tuple[Any, ...]]:
    (folder / "app.py").write_text(source)
    settings = Settings(name="x", app=AppSection(framework="wsgi", entry="app:application"))
    project = Project(folder, settings, folder / "edgelift.toml")
    known = msgspec.convert(json.loads((CASES / "postgresql.json").read_text()), Vocabulary)
    move = MovePlan(
        database="main", product="PostgreSQL 15", dialect="postgresql", shape="", vocabulary=known
    )
    journal.write_document("move:main", move)
    packages = (PackagePlan(name=package, outcome="vendored"),)
    plan = Plan(placement="worker", placement_reason="", packages=packages)
    database = Database(name="main", binding="DB", path="x", strategy="object", origin="postgresql")
    view = build_view(project)
    parts = Parts(
        project, plan, Inventory(framework="wsgi", entry="app:application"),
        (_read_texts(journal, plan, view, database),),
    )  # fmt: skip
    found = check_driver_texts(project, journal, parts)
    return sorted((one.path, one.line, one.message.partition(" (")[2][:30]) for one in found)


def test_django_s_raw_sql(tmp_path: Path, journal: Journal) -> None:
    assert judge(tmp_path, journal, DJANGO, "django") == [
        ("app.py", 6, "it computes with a parameter a"), ("app.py", 7, 'column "nope" does not exist):'),
    ]  # fmt: skip


def test_sqlalchemy_s_texts(tmp_path: Path, journal: Journal) -> None:
    assert judge(tmp_path, journal, SQLALCHEMY, "sqlalchemy") == [
        ("app.py", 5, 'column "nope" does not exist):'), ("app.py", 6, "it casts text to integer): the"),
    ]  # fmt: skip


def test_what_sqlalchemy_was_seen_to_send(tmp_path: Path, journal: Journal) -> None:
    sent = "SELECT people.name::int FROM people WHERE people.id = %(id_1)s"
    seen = RecordedStatement(
        path="app.py", line=4, engine="postgresql", sql=sent, kind="built", bound=True
    )
    journal.write_document(DOCUMENT, [seen])
    source = "import sqlalchemy\napplication = None\n"
    assert judge(tmp_path, journal, source, "sqlalchemy") == [
        ("app.py", 4, "it casts text to integer): the")
    ]
