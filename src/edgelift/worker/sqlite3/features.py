"""What sqlite3 connections offer beside statements: callbacks in Python, copies, limits.

D1 runs no Python: functions and collations are kept, and a statement that needs one runs where
they are (expansion.py, local_copy.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from edgelift.worker.sqlite3.callbacks import (
    AGGREGATE,
    COLLATION,
    FUNCTION,
    WINDOW,
    Callback,
    Callbacks,
)  # fmt: skip
from edgelift.worker.sqlite3.errors import NotSupportedError, ProgrammingError
from edgelift.worker.sqlite3.execution import Plan
from edgelift.worker.sqlite3.real import dump
from edgelift.worker.sqlite3.transport import Database

log = logging.getLogger("edgelift.sqlite3")


class Features:
    """The part of a Connection that needs no transaction; a base class of Connection."""

    database: Database
    trace: Callable[[str], object] | None

    def __init__(self) -> None:
        self.trace = None
        self.callbacks = Callbacks()
        self.limits: dict[int, int] = {}

    def check_open(self) -> None:
        """Raise ProgrammingError when the connection is closed."""
        raise ProgrammingError("Cannot operate on a closed database.")

    def check_schema(self, plan: Plan) -> None:
        """Raise NotSupportedError when a definition would have D1 call what is in Python.

        A view may: who reads it is answered from a copy (local_copy.py).
        """
        source = plan.source
        if source.first != "CREATE" or "VIEW" in {token.upper for token in source.tokens[:3]}:
            return
        for name in self.callbacks.names_in(source):
            raise NotSupportedError(
                f"{name} is registered in Python, which D1 cannot call: no table, index or trigger "
                "may use it"
            )

    def create_function(
        self, name: str, narg: int, func: Callable[..., Any] | None, *, deterministic: bool = False
    ) -> None:
        """Keep the function; statements that call it run where Python is."""
        self._keep(Callback(FUNCTION, name, narg, func, deterministic))

    def create_aggregate(self, name: str, n_arg: int, aggregate_class: Any) -> None:
        """Keep the aggregate; statements that call it run where Python is."""
        self._keep(Callback(AGGREGATE, name, n_arg, aggregate_class))

    def create_window_function(self, name: str, num_params: int, aggregate_class: Any, /) -> None:
        """Keep the window function; statements that call it run where Python is."""
        self._keep(Callback(WINDOW, name, num_params, aggregate_class))

    def create_collation(self, name: str, callback: Callable[[str, str], int] | None, /) -> None:
        """Keep the collation; statements that name it run where Python is."""
        self._keep(Callback(COLLATION, name, 2, callback))

    def _keep(self, made: Callback) -> None:
        self.check_open()
        self.callbacks.keep(made)

    def set_trace_callback(self, trace_callback: Callable[[str], object] | None) -> None:
        """Call back with the text of each statement, its parameters not filled in."""
        self.check_open()
        self.trace = trace_callback

    def set_authorizer(self, authorizer_callback: Any) -> None:
        """Accept an authorizer, which D1 will not ask; the log says so."""
        self._warn_unused("set_authorizer", authorizer_callback)

    def set_progress_handler(self, progress_handler: Any, n: int) -> None:
        """Accept a progress handler, which D1 will not call; the log says so."""
        self._warn_unused("set_progress_handler", progress_handler)

    def _warn_unused(self, method: str, callback: object) -> None:
        self.check_open()
        if callback is not None:
            log.warning("edgelift: %s has no effect on D1 (%s)", method, self.database.binding)

    def interrupt(self) -> None:
        """Do nothing: no statement of this connection runs while its Python does."""
        self.check_open()

    def iterdump(self, *, filter: str | None = None) -> Iterator[str]:
        """Yield the SQL text that rebuilds the database."""
        self.check_open()
        if dump is None:
            raise NotSupportedError("iterdump() needs the interpreter's sqlite3, which is missing")
        named = {"filter": filter} if filter is not None else {}
        return dump(self, **named)

    def backup(
        self,
        target: Any,
        *,
        pages: int = -1,
        progress: Callable[[int, int, int], object] | None = None,
        name: str = "main",
        sleep: float = 0.25,
    ) -> None:
        """Copy all tables, rows and indexes into another connection, as SQL."""
        self.check_open()
        if not hasattr(target, "executescript"):
            raise TypeError(f"backup() argument 1 must be sqlite3.Connection, not {target!r}")
        target.executescript("\n".join(self.iterdump()))
        if progress is not None:
            progress(0, 0, 0)

    def _refuse(self, *_arguments: Any, **_named: Any) -> Any:
        raise NotSupportedError("D1 does not give access to the database file")

    blobopen = serialize = deserialize = load_extension = _refuse

    def enable_load_extension(self, enable: bool, /) -> None:
        """Allow nothing: D1 loads no extensions; load_extension raises NotSupportedError."""
        self.check_open()

    def getlimit(self, category: int, /) -> int:
        """Return the limit of a category; raises ProgrammingError for an unknown one."""
        self.check_open()
        if category not in _LIMITS:
            raise ProgrammingError("'category' is out of bounds")
        return self.limits.get(category, _LIMITS[category])

    def setlimit(self, category: int, limit: int, /) -> int:
        """Lower a limit and return what it was, as SQLite; a negative one leaves it as it is.

        getlimit tells it, as to Django, which cuts its statements by it; D1 knows nothing of it.
        """
        before = self.getlimit(category)
        if limit >= 0:
            self.limits[category] = min(limit, _LIMITS[category])
        return before


# By SQLITE_LIMIT_*; D1 limits page where D1 has its own.
_LIMITS = {
    0: 2_000_000, 1: 100_000, 2: 100, 3: 100, 4: 5, 5: 25_000, 6: 32, 7: 0, 8: 50, 9: 32_766,
    10: 10, 11: 0,
}  # fmt: skip
