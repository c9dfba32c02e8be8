"""SQLAlchemy finds what was moved: its dialects, stand-ins for drivers, and the tables' catalogue."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry

from edgelift.worker import sqlalchemy_moved
from edgelift.worker.moved import finding
from edgelift.worker.sqlalchemy_moved import dialects

CASES = Path(__file__).resolve().parents[2] / "cases" / "moved_sqlalchemy"


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The moved database of the cases, known to SQLAlchemy."""
    path = tmp_path / "moved.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((CASES / "postgresql.moved.sql").read_text())
    one = {"name": "main", "origin": "postgresql", "path": str(path),
           "catalogue": json.loads((CASES / "postgresql.json").read_text())}  # fmt: skip
    finding.configure([one])
    sqlalchemy_moved.install([one])
    yield one
    finding.configure([])
    for name in [n for n in registry.impls if n.startswith(("postgres", "mysql", "maria"))]:
        registry.deregister(name)


@pytest.fixture
def dialect(moved: dict[str, Any]) -> Any:
    """The dialect of PostgreSQL's URLs, after it has seen one."""
    assert moved
    made = dialects.postgresql__psycopg()
    made.create_connect_args(sa.make_url("postgresql+psycopg://me@db.example.org/main"))
    return made


@pytest.mark.parametrize(
    ("backend", "driver", "found"),
    [
        ("postgresql", "psycopg", "psycopg"),
        ("postgres", "psycopg", "psycopg"),
        ("mysql", "pymysql", "pymysql"),
        ("mariadb", "pymysql", "pymysql"),
        ("mysql", "mysqlconnector", "pymysql"),
        ("mysql", "cymysql", "pymysql"),
    ],
)
def test_each_driver_has_a_dialect_of_sqlalchemy_s_own(
    backend: str, driver: str, found: str
) -> None:
    made = getattr(dialects, f"{backend}__{driver}")
    assert issubclass(made, dialects.MovedDialect)
    assert made.driver == found
    assert made is getattr(dialects, f"{backend}__{driver}")


def test_a_driver_that_nothing_stands_in_for_is_told() -> None:
    with pytest.raises(ImportError, match="no driver of mysql is in the Worker"):
        dialects.find_own("mysql", "asyncmy")
    with pytest.raises(AttributeError):
        getattr(dialects, "oracle__cx")  # noqa: B009 - asked for by name


def test_asynchronous_engines_find_it_too() -> None:
    made = dialects.postgresql__psycopg.get_async_dialect_cls(None)
    assert issubclass(made, dialects.MovedDialect)
    assert made.is_async


def test_urls_lead_there(moved: dict[str, Any]) -> None:
    assert moved["name"] == "main"
    engine = sa.create_engine("postgresql+psycopg://me@db.example.org/main")
    assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "psycopg")
    assert isinstance(engine.dialect, dialects.MovedDialect)


def test_tables_are_there_and_others_are_not(dialect: Any) -> None:
    assert dialect.has_table(None, "items")
    assert dialect.has_table(None, "items", "public")
    assert not dialect.has_table(None, "nowhere")
    assert dict(dialect.has_multi_table(None, ["items", "no"])) == {
        (None, "items"): True, (None, "no"): False,
    }  # fmt: skip
    assert dialect.has_type(None, "item_status")
    assert dialect.get_table_names(None) == ["items", "sales"]
    assert dialect.get_schema_names(None) == ["public"]


def test_columns_have_their_types(dialect: Any) -> None:
    found = {one["name"]: one for one in dialect.get_columns(None, "items")}
    shown = {name: str(one["type"]) for name, one in found.items()}
    assert shown["price"] == "NUMERIC(10, 2)"
    assert (shown["sku"], shown["tags"], shown["doc"]) == ("VARCHAR(10)", "ARRAY", "JSONB")
    assert found["status"]["type"].enums == ["new", "paid", "cancelled"]
    assert (found["id"]["autoincrement"], found["name"]["nullable"]) == (True, False)


def test_keys_and_references(dialect: Any) -> None:
    assert dialect.get_pk_constraint(None, "items")["constrained_columns"] == ["id"]
    [unique] = dialect.get_unique_constraints(None, "items")
    assert (unique["name"], unique["column_names"]) == ("items_sku_key", ["sku"])
    [reference] = dialect.get_foreign_keys(None, "sales")
    assert (reference["referred_table"], reference["constrained_columns"]) == ("items", ["item_id"])
    assert dialect.get_indexes(None, "items") == []
    with pytest.raises(sa.exc.NoSuchTableError):
        dialect.get_columns(None, "nowhere")


def test_another_database_is_asked_itself(moved: dict[str, Any]) -> None:
    assert moved
    finding.configure([])
    made = dialects.postgresql__psycopg()
    made.create_connect_args(sa.make_url("postgresql+psycopg://me@db.example.org/main"))
    assert made.is_moved_from is None
