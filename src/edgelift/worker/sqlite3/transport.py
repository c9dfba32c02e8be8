"""Carries requests to D1 and results back: the seam between the driver and its runtime."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from edgelift.worker.sqlite3.errors import OperationalError, read_d1_error
from edgelift.worker.sqlite3.fitting import Fitted
from edgelift.worker.sqlite3.statement import Statement
from edgelift.worker.sqlite3.tokens import quote_name

# Forms of results: see targets/workerd/js/d1_query.mjs.
JSON, RAW, RUN = "json", "raw", "run"
Asked = tuple[Fitted, str]


class Transport(Protocol):
    """Sends one JSON request (d1_query.mjs) for a binding and waits for the JSON answer."""

    def send(self, binding: str, request: str) -> str:
        """Return the answer; raises OperationalError when there is none."""


class HostTransport:
    """The Worker's own way: `_edgelift_host.d1`, which suspends this stack until D1 answered."""

    def send(self, binding: str, request: str) -> str:
        """Return D1's answer; raises OperationalError where nothing may be waited for."""
        from pyodide.ffi import JsException, run_sync

        from edgelift.worker.host import can_suspend, read_host

        if not can_suspend():
            raise OperationalError(
                f"D1 ({binding}) cannot be asked here: this code runs where nothing can wait"
            )
        try:
            return str(run_sync(read_host().d1(binding, request)))
        except JsException as error:
            raise OperationalError(f"D1 ({binding}) cannot be reached: {error}") from error


@dataclass
class Result:
    """One statement's answer: rows as JSON gave them, the columns' names in raw form, D1's meta."""

    rows: list[list[Any]]
    columns: list[str]
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass
class Answer:
    """The answer to a request; `names` are the column names that were asked for beside it."""

    results: list[Result]
    names: list[str] | None = None


def _read_object(found: dict[str, Any]) -> Any:
    """Turn the two forms of a blob into bytes; everything else stays."""
    if len(found) == 1:
        if "b" in found:
            return bytes.fromhex(found["b"])
        if "blob" in found:
            return base64.b64decode(found["blob"])
    return found


class Database:
    """A configured database: binding, transport, and what its connections know of it."""

    def __init__(self, binding: str, transport: Transport) -> None:
        self.binding = binding
        self.transport = transport
        self.names: dict[str, list[str]] = {}
        self.tables: dict[str, list[tuple[str, str]]] = {}
        self.returning: dict[str, tuple[Statement, list[str]]] = {}

    def forget(self) -> None:
        """Drop what was learned about columns: the schema may have changed."""
        self.names.clear()
        self.tables.clear()
        self.returning.clear()

    def learn(self, sql: str, names: list[str]) -> None:
        """Keep the column names of a query; the oldest make room."""
        if len(self.names) >= _KEPT_QUERIES:
            del self.names[next(iter(self.names))]
        self.names[sql] = names

    def ask(self, statements: Sequence[Asked], names: Fitted | None = None) -> Answer:
        """Run statements, several as one atomic batch; raises the DB-API error of what D1 says."""
        request: dict[str, Any] = {"statements": [[*fitted, form] for fitted, form in statements]}
        if names:
            request["names"] = list(names)
        text = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
        answer = json.loads(self.transport.send(self.binding, text), object_hook=_read_object)
        if "error" in answer:
            raise read_d1_error(answer["error"])
        results = [
            Result(found["rows"], found.get("columns", []), found.get("meta", {}))
            for found in answer["results"]
        ]
        return Answer(results, answer.get("names"))

    def read_table(self, table: str) -> list[tuple[str, str]]:
        """Return (name, declared type) of a table's visible columns, [] without such a table."""
        key = table.lower()
        if key not in self.tables:
            pragma = f"PRAGMA table_xinfo({quote_name(table)})"
            rows = self.ask([(Fitted(pragma, []), RAW)]).results[0].rows
            self.tables[key] = [(row[1], row[2]) for row in rows if row[6] != _HIDDEN]
        return self.tables[key]


_KEPT_QUERIES = 500
_HIDDEN = 1  # table_xinfo: hidden columns of virtual tables; generated ones (2, 3) are visible
