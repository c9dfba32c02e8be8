"""Shards as files of SQLite in this process: what D1 answers, made by the standard library's sqlite3."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgelift.worker import flows
from edgelift.worker.sharding import choice
from edgelift.worker.sqlite3 import registry

PATH = "/app/edgelift-data/main.sqlite"
SCHEMA = """
CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, note TEXT);
CREATE TABLE entry (id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER, amount INTEGER);
CREATE VIEW totals AS SELECT account, sum(amount) AS amount FROM entry GROUP BY account;
INSERT INTO country VALUES ('de', 'Germany'), ('fr', 'France');
"""
DOCUMENT: dict[str, Any] = {
    "format": 1,
    "by": "tenant",
    "key": "tenant",
    "form": "text",
    "shards": [
        {"name": "main-0", "tenants": ["a", "b"], "low": "", "high": ""},
        {"name": "main-1", "tenants": ["c"], "low": "", "high": ""},
        {"name": "main-2", "tenants": ["d"], "low": "", "high": ""},
    ],
    "tables": [
        {"table": "country", "way": "replicated"},
        {"table": "account", "way": "column", "detail": "tenant"},
        {"table": "entry", "way": "through", "detail": "account -> account -> tenant"},
    ],
    "views": ["totals"],
    "counters": {"account": "id", "entry": "id"},
}
BINDINGS = {"main-0": "DB_0", "main-1": "DB_1", "main-2": "DB_2"}


class FileTransport:
    """Answers as D1 does (js/d1_query.mjs), each binding a database in memory; `sent` is all it got."""

    def __init__(self, bindings: Mapping[str, str], schema: str = SCHEMA) -> None:
        self.files = {}
        self.sent: list[tuple[str, str]] = []
        for binding in ("DB", *bindings.values()):
            self.files[binding] = db = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False
            )
            db.executescript(schema)
        for table, last in (("account", 100), ("entry", 500)):
            self.files["DB"].execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))
        self.files["DB"].execute("DELETE FROM country")

    def send(self, binding: str, request: str) -> str:
        asked = json.loads(request)
        db = self.files[binding]
        self.sent += [(binding, sql) for sql, *_ in asked["statements"]]
        results = []
        db.execute("BEGIN")
        try:
            results = [_run(db, *statement) for statement in asked["statements"]]
            wanted = asked.get("names")
            names = [c[0] for c in db.execute(*wanted[:2]).description] if wanted else None
        except sqlite3.Error as error:
            db.execute("ROLLBACK")
            return json.dumps({"error": f"D1_ERROR: {error}: {error.sqlite_errorname}"})
        db.execute("COMMIT")
        return json.dumps({"results": results, "names": names})

    def rows(self, binding: str, query: str) -> list[tuple[Any, ...]]:
        return self.files[binding].execute(query).fetchall()


def _run(db: sqlite3.Connection, sql: str, parameters: list[Any], form: str) -> dict[str, Any]:
    before = db.total_changes
    values = [base64.b64decode(v["blob"]) if isinstance(v, dict) else v for v in parameters]
    cursor = db.execute(sql, values)
    found = cursor.fetchall()
    columns = [column[0] for column in cursor.description or ()]
    if form in {"json", "group"}:
        found = [json.loads(row[0]) for row in found]
    return {"rows": found, "columns": columns, "meta": {"changes": db.total_changes - before}}


def install(folder: Path, document: Mapping[str, Any] = DOCUMENT, **more: Any) -> FileTransport:
    """Make PATH a database of three shards in D1 and return what stands for D1."""
    place = folder / "main.json"
    place.write_text(json.dumps({**document, **more}))
    transport = FileTransport(BINDINGS)
    shards = {"map": str(place), "bindings": BINDINGS}
    registry.configure([{"binding": "DB", "path": PATH, "shards": shards}], transport)
    return transport


@contextmanager
def request(number: int, shard: str, binding: str = "DB") -> Iterator[None]:
    """Run the block as a request that works on a shard; "" for one that has none."""
    flow = flows.open_flow(number)
    before = flows.current.set(flow)
    chosen = choice._chosen.set(choice.NONE)
    try:
        choice.choose({binding: shard} if shard else {}, "" if shard else "it has no key")
        yield
    finally:
        choice._chosen.reset(chosen)
        flows.current.reset(before)
        flows.close_flow(flow)
