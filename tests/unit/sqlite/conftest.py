"""Databases for the tests of the SQLite source and of the data stage, made from scripts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "cases" / "schema"

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a maker of database files: from SQL, or from NAME.sql of the schema cases."""

    def make_one(sql: str, name: str = "origin.db") -> Path:
        path = tmp_path / name
        script = (SCRIPTS / sql).read_text() if sql.endswith(".sql") else sql
        db = sqlite3.connect(path)
        db.executescript(script)
        db.close()
        return path

    return make_one


@pytest.fixture(params=["music.sql", "nasty.sql", "nothing.sql"])
def origin(request: pytest.FixtureRequest, make: Make) -> Path:
    """Return each database of the cases that moves as a whole."""
    return make(request.param)


def run_sql(path: Path, *statements: str) -> None:
    """Change a database by plain SQL and close it."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


@pytest.fixture
def change() -> Callable[..., None]:
    """Return a changer of database files by plain SQL."""
    return run_sql
