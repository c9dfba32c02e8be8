"""A small moved database in memory, and a session of each engine on it."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from edgelift.worker.moved.catalogue import Catalogue, read_catalogue
from edgelift.worker.moved.mysql_session import MysqlSession
from edgelift.worker.moved.session import Session
from edgelift.worker.moved.translation import Translations

SCRIPT = """
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email VARCHAR(20) NOT NULL UNIQUE,
    balance NUMERIC(10, 2) NOT NULL DEFAULT 0 CONSTRAINT positive CHECK (balance >= 0),
    active BOOLEAN DEFAULT 1, created TIMESTAMP DEFAULT '2024-01-01 00:00:00.000000',
    tags TEXT DEFAULT '[]', info TEXT, mood TEXT DEFAULT 'ok'
);
CREATE TABLE transfers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    src INTEGER NOT NULL CONSTRAINT transfers_src REFERENCES accounts (id), amount NUMERIC(10, 2)
);
INSERT INTO accounts (email, balance, tags, info) VALUES
    ('a@x', 10.5, '["red","b c"]', '{"k": [1, {"z": true}], "s": "t"}'), ('b@x', 7, '[]', NULL);
"""


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    arguments = more.pop("arguments", ())
    return {
        "name": name,
        "type": {"name": kind, "arguments": arguments, **more.pop("type", {})},
        **more,
    }


def describe(engine: str) -> dict[str, Any]:
    is_mysql = engine == "mysql"
    names = {"int4": "int", "numeric": "decimal", "bool": "tinyint", "timestamptz": "datetime",
             "jsonb": "json"} if is_mysql else {}  # fmt: skip

    def named(kind: str) -> str:
        return names.get(kind, kind)

    listed = {"element": {"name": "text"}} if not is_mysql else {}
    accounts = [
        column("id", named("int4"), not_null=True, has_default=True),
        column("email", "varchar", arguments=(20,), not_null=True),
        column("balance", named("numeric"), arguments=(10, 2), not_null=True, has_default=True),
        column("active", named("bool")),
        column("created", named("timestamptz")),
        column("tags", "text", type=listed),
        column("info", named("jsonb")),
        column("mood", "enum", type={"labels": ("sad", "ok", "happy"), "written": "mood"}),
    ]
    transfers = [
        column("id", named("int4"), not_null=True, has_default=True),
        column("src", named("int4"), not_null=True),
        column("amount", named("numeric"), arguments=(10, 2)),
    ]
    schema = "bank" if is_mysql else "public"
    key = {"primary": False, "name": "accounts_email_key", "columns": ("email",)}
    source = {"name": "transfers_src", "columns": ("src",), "table": "accounts", "keys": ("id",)}
    return {
        "schemas": (schema,),
        "tables": [
            {"name": "accounts", "schema": schema, "origin": "accounts", "columns": accounts,
             "keys": [{"primary": True, "name": "accounts_pkey", "columns": ("id",)}, key],
             "references": [], "checks": ["positive"], "counter": "id",
             "sequence": "public.accounts_id_seq"},
            {"name": "transfers", "schema": schema, "origin": "transfers", "columns": transfers,
             "keys": [{"primary": True, "name": "transfers_pkey", "columns": ("id",)}],
             "references": [source], "checks": [], "counter": "id"},
        ],
        "indexes": ["transfers_by_src"],
    }  # fmt: skip


def open_database() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(SCRIPT)
    db.execute("PRAGMA foreign_keys=ON")
    return db


@pytest.fixture
def catalogue() -> Catalogue:
    return read_catalogue(describe("postgresql"))


@pytest.fixture
def session(catalogue: Catalogue):
    made = Session(
        open_database(), catalogue, Translations(catalogue), {"session_authorization": "me"}
    )
    yield made
    made.close()


@pytest.fixture
def mysql_session():
    known = read_catalogue(describe("mysql"), "mysql")
    translations = Translations(known, "mysql")
    made = MysqlSession(open_database(), known, translations, {"session_authorization": "me"})
    yield made
    made.close()
