"""Move a server's database without workerd: judge, copy, and keep what a test needs to look at."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from edgelift.model.findings import Check
from edgelift.model.mover_settings import SchemaSection
from edgelift.sources.origin_database import open_origin
from edgelift.stages.data.server import prove
from edgelift.stages.data.server.copy import (
    Copy,
    copy_rows,
    create_rest,
    create_tables,
    restore_counters,
)
from edgelift.stages.data.server.move import read_counters
from edgelift.stages.data.server.target import open_part
from edgelift.stages.data.server.throttle import Throttle
from edgelift.stages.schema.server.inquiry import Listener
from edgelift.stages.schema.server.judgement import ServerJudgement, judge_server

NO_SETTINGS = SchemaSection()


def accept_all(_statements):
    return []


def judge(url: str, settings: SchemaSection = NO_SETTINGS, accepted=frozenset()):
    """Judge a database without D1's engine, which the cases ask; a lost server is not waited for."""
    impatient = Listener(wait=lambda _s: None)
    return judge_server("main", url, settings, frozenset(accepted), accept_all, impatient)


@dataclass
class Moving:
    """A database on its way; `copy` may be called again, as after a kill."""

    url: str
    part: Path
    judgement: ServerJudgement
    chunk_rows: int = 500
    engine: str = "auto"
    throttle: Throttle = field(default_factory=Throttle)
    told: list[str] = field(default_factory=list)

    @property
    def plan(self):
        return self.judgement.plan

    @contextlib.contextmanager
    def open(self) -> Iterator[Copy]:
        with open_origin(self.url) as adapter:
            reader = adapter.open_snapshot()
            try:
                with open_part(self.part) as db:
                    yield Copy(
                        db=db,
                        reader=reader,
                        plan=self.plan,
                        schema=self.judgement.schema,
                        chunk_rows=self.chunk_rows,
                        throttle=self.throttle,
                        tell=lambda what, _done, _total: self.told.append(what),
                        engine=self.engine,
                    )
            finally:
                reader.close()

    def copy(self) -> Copy:
        with self.open() as copy:
            create_tables(copy)
            copy_rows(copy)
            create_rest(copy)
            with open_origin(self.url) as adapter:
                restore_counters(copy, read_counters(self.plan, adapter.read_schema()))
            copy.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return copy

    def prove(self, part: Path | None = None, sample: float = 0.0) -> dict[str, Check]:
        """Run the proof on the file, or on a changed copy of it."""
        with open_origin(self.url) as adapter:
            reader = adapter.open_snapshot()
            try:
                with open_part(part or self.part) as db:
                    proof = prove.Proof(
                        db=db,
                        reader=reader,
                        plan=self.plan,
                        reproduce="edgelift data",
                        sample=sample,
                        engine=self.engine,
                    )
                    names = [s.name for s in self.judgement.schema.tables]
                    checks = [
                        prove.check_computed(proof),
                        prove.check_rows(proof),
                        prove.check_again(proof),
                        prove.check_integrity(proof, names),
                        prove.check_counters(
                            proof, read_counters(self.plan, adapter.read_schema())
                        ),
                    ]
            finally:
                reader.close()
        return {c.id.removeprefix("data.").removesuffix(":main"): c for c in checks if c}

    def change(self, folder: Path, sql: str, values: tuple = ()) -> Path:
        """Return a copy of the file in which a statement was run, as a fault of the copy would."""
        changed = folder / "changed.sqlite.part"
        shutil.copyfile(self.part, changed)
        with contextlib.closing(sqlite3.connect(changed, isolation_level=None)) as db:
            db.create_function("flip", 1, lambda blob: bytes([blob[0] ^ 1]) + blob[1:])
            db.execute("PRAGMA foreign_keys=OFF")
            db.execute("PRAGMA ignore_check_constraints=ON")
            assert db.execute(sql, values).rowcount > 0
        return changed


def start_moving(
    url: str, folder: Path, settings: SchemaSection = NO_SETTINGS, **more: Any
) -> Moving:
    accepted = more.pop("accepted", frozenset())
    return Moving(url, folder / "main.sqlite.part", judge(url, settings, accepted), **more)


def read_plainly(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return a query's rows by the server's own driver, in the form SQLite's rows have, sorted."""
    if url.startswith("postgres"):
        with psycopg.connect(url) as db:
            db.execute("SET timezone = 'UTC'")
            rows = db.execute(query).fetchall()
    else:
        address = url.removeprefix("mysql://").partition("/")
        user, _, place = address[0].rpartition("@")
        host, _, port = place.partition(":")
        with pymysql.connect(
            host=host, port=int(port), user=user.partition(":")[0], database=address[2],
            charset="utf8mb4", init_command="SET time_zone = '+00:00'",
        ) as db, db.cursor() as cursor:  # fmt: skip
            cursor.execute(query)
            rows = list(cursor.fetchall())
    return sort_rows(tuple(map(to_plain, row)) for row in rows)


def to_plain(value: Any) -> Any:
    """Return a driver's value as the default mapping writes it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        plain = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
        return plain.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def read_target(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Return a query's rows from the file by Python's own sqlite3, sorted."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return sort_rows(db.execute(query).fetchall())


def sort_rows(rows) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: [(type(v).__name__, repr(v)) for v in row])
