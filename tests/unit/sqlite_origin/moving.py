"""Move a SQLite file under overrides without workerd: judge, copy, prove, look by plain sqlite3."""

from __future__ import annotations

import contextlib
import sqlite3
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from edgelift.model.mover_settings import SchemaSection
from edgelift.sources.sqlite_origin import to_url
from edgelift.stages.schema.server.judgement import ServerJudgement
from edgelift.stages.schema.sqlite.judgement import Order, judge_rewritten
from tests.contract.mover.moving import Moving, accept_all

NAMESPACE = "12345678-1234-5678-1234-567812345678"


def make(path: Path, script: str, *rows: tuple[str, Iterable[tuple[Any, ...]]]) -> Path:
    """Make a database file from a script, then rows by statement."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)
        for statement, values in rows:
            db.executemany(statement, values)
        db.commit()
    return path


def read_settings(toml: str) -> SchemaSection:
    """Return the [schema] of a text as edgelift.toml has it."""
    return msgspec.convert(tomllib.loads(toml).get("schema", {}), SchemaSection)


def judge(path: Path, toml: str, accepted: Iterable[str] = ()) -> ServerJudgement:
    """Judge a file without D1's engine."""
    settings = read_settings(toml)
    assert list(settings.find_faults(frozenset({"main"}))) == []
    order = Order(name="main", settings=settings, accepted=frozenset(accepted))
    return judge_rewritten(order, path, (), accept_all)


def start(path: Path, toml: str, accepted: Iterable[str] = (), **more: Any) -> Moving:
    """Return a move of a file into its own folder."""
    judgement = judge(path, toml, accepted)
    return Moving(to_url(path), path.with_name("main.sqlite.part"), judgement, **more)


def list_rules(judgement: ServerJudgement) -> list[tuple[str, str, str]]:
    """Return (rule, kind, name) of every error."""
    return sorted((i.rule, i.kind, i.name) for i in judgement.issues if i.level == "error")


def look(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query by Python's own sqlite3."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()
