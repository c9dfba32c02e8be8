"""Connections of psycopg2 that log their statements."""

from __future__ import annotations

import logging
import time
from typing import Any

from ._connection import connection
from ._cursor import cursor
from ._errors import ProgrammingError


class LoggingConnection(connection):
    """A connection that writes each statement to a logger or a file; see `initialize`."""

    _logobj: Any = None

    def initialize(self, logobj: Any) -> None:
        """Set the logger or file-like object to write to."""
        self._logobj = logobj

    def log(self, msg: Any, curs: Any) -> None:
        """Write a statement after `filter`."""
        text = self.filter(msg, curs)
        if not text:
            return
        if isinstance(self._logobj, logging.Logger):
            self._logobj.debug(text)
        else:
            shown = text.decode(self._codec, "replace") if isinstance(text, bytes) else text
            self._logobj.write(f"{shown}\n")

    def filter(self, msg: Any, curs: Any) -> Any:
        """Return what to write, nothing to write nothing."""
        return msg

    def _check(self) -> None:
        if self._logobj is None:
            raise ProgrammingError("LoggingConnection object has not been initialize()d")

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor."""
        self._check()
        kwargs.setdefault("cursor_factory", self.cursor_factory or LoggingCursor)
        return super().cursor(*args, **kwargs)


class LoggingCursor(cursor):
    """A cursor that tells its connection what it ran."""

    def execute(self, query: Any, vars: Any = None) -> None:
        """Run a statement."""
        try:
            super().execute(query, vars)
        finally:
            self.connection.log(self.query, self)

    def callproc(self, procname: str, parameters: Any = None) -> Any:
        """Call a function."""
        return super().callproc(procname, parameters)


class MinTimeLoggingConnection(LoggingConnection):
    """A connection that logs statements that took `mintime` milliseconds or more."""

    def initialize(self, logobj: Any, mintime: float = 0) -> None:
        """Set the logger or file-like object, and the time in milliseconds."""
        super().initialize(logobj)
        self._mintime = mintime

    def filter(self, msg: Any, curs: Any) -> Any:
        """Return the statement with its time, nothing when it was quick."""
        taken = (time.time() - curs.timestamp) * 1000
        if taken <= self._mintime:
            return None
        text = msg.decode(self._codec, "replace") if isinstance(msg, bytes) else msg
        return f"{text}\n  (execution time: {int(taken)} ms)"

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor."""
        kwargs.setdefault("cursor_factory", self.cursor_factory or MinTimeLoggingCursor)
        return super().cursor(*args, **kwargs)


class MinTimeLoggingCursor(LoggingCursor):
    """A cursor that notes when its statement began."""

    timestamp = 0.0

    def execute(self, query: Any, vars: Any = None) -> None:
        """Run a statement."""
        self.timestamp = time.time()
        super().execute(query, vars)
