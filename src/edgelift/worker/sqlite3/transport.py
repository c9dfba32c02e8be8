"""Databases as the driver sees them: statements go out, results come back, columns are remembered.

`Database` is one in D1, `ObjectDatabase` one in a SQL object; the two transports are the seam
between the driver and its runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from edgelift.worker.sqlite3.errors import OperationalError, read_d1_error
from edgelift.worker.sqlite3.fitting import Fitted
from edgelift.worker.sqlite3.object_transaction import ObjectTransaction
from edgelift.worker.sqlite3.object_transport import ObjectTransport
from edgelift.worker.sqlite3.statement import Statement
from edgelift.worker.sqlite3.tokens import quote_name
from edgelift.worker.sqlite3.transactions import Books, Transaction
from edgelift.worker.sqlite3.wire import read_answer, write_message

# Forms of results: see targets/workerd/js/d1_query.mjs; GROUP: js/sql_object.mjs.
JSON, RAW, RUN, GROUP = "json", "raw", "run", "group"
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


class Database:
    """A configured database: binding, transport, and what its connections know of it."""

    # Whether all rows of a query come as one cell, whether a batch is a transaction, and whether
    # the answer to a write brings its counters.
    groups = False
    batches = True
    counts = False

    def __init__(self, binding: str, transport: Transport | None = None) -> None:
        self.binding = binding
        self.transport = transport
        self.names: dict[str, list[str]] = {}
        self.tables: dict[str, list[tuple[str, str]]] = {}
        self.returning: dict[str, tuple[Statement, list[str]]] = {}
        # The results of the statements before the one that failed last.
        self.partial: list[Result] = []

    def connect(self, busy_ms: int) -> tuple[Database, Books]:
        """Return what a new connection asks, and its transaction."""
        return self, Transaction(self.binding)

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

    def ask(
        self,
        statements: Sequence[Asked],
        names: Fitted | None = None,
        *,
        writes: bool = False,
        atomic: bool = True,
        commits: bool = False,
    ) -> Answer:
        """Run statements and return their answers; raises the DB-API error of what SQLite says.

        Several are one atomic batch, unless `atomic` is False and the database can do otherwise.
        `writes` tells that they may change something, `commits` has a SQL object commit the open
        transaction after them.
        """
        steps = [[*fitted, form] for fitted, form in statements]
        wishes = {"writes": writes, "atomic": atomic, "commits": commits}
        answer = self._send(steps, names, wishes)
        results = [
            Result(found["rows"], found.get("columns", []), found.get("meta", {}))
            for found in answer.get("results", ())
        ]
        if "error" in answer:
            self.partial = results
            raise read_d1_error(answer["error"])
        return Answer(results, answer.get("names"))

    def _send(
        self, steps: list[list[Any]], names: Fitted | None, wishes: dict[str, bool]
    ) -> dict[str, Any]:
        request: dict[str, Any] = {"statements": steps}
        if names:
            request["names"] = list(names)
        assert self.transport is not None
        return read_answer(self.transport.send(self.binding, write_message(request)))

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


class ObjectDatabase(Database):
    """A database in a SQL object; each connection has a link of its own (`connect`)."""

    groups = True
    batches = False
    counts = True

    def __init__(self, binding: str, carrier: ObjectTransport, shard: str = "") -> None:
        super().__init__(binding)
        self.carrier = carrier
        self.shard = shard

    def connect(self, busy_ms: int) -> tuple[Database, Books]:
        """Return a link and its transaction; all links share what is known of the schema."""
        link = ObjectLink(self, busy_ms)
        return link, link.transaction


class ObjectLink(ObjectDatabase):
    """One connection's way to a SQL object."""

    def __init__(self, shared: ObjectDatabase, busy_ms: int) -> None:
        super().__init__(shared.binding, shared.carrier, shared.shard)
        self.shared = shared
        self.names, self.tables, self.returning = shared.names, shared.tables, shared.returning
        self.transaction = ObjectTransaction(self, shared.carrier, busy_ms)

    def forget(self) -> None:
        """Drop what was learned; until the transaction ends only this link sees its new schema."""
        self.shared.forget()
        if self.transaction.open:
            self.names, self.tables, self.returning = {}, {}, {}

    def forget_transaction(self) -> None:
        """See the schema as all others do."""
        if self.names is not self.shared.names:
            self.shared.forget()
            self.names, self.tables = self.shared.names, self.shared.tables
            self.returning = self.shared.returning

    def _send(
        self, steps: list[list[Any]], names: Fitted | None, wishes: dict[str, bool]
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"steps": steps}
        if wishes["atomic"] and len(steps) > 1:
            message["atomic"] = True
        if names:
            message["names"] = list(names)
        if wishes["commits"]:
            return self.transaction.commit_with(message)
        return self.transaction.send(message, writes=wishes["writes"])
