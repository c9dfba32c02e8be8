"""Two-phase commit of psycopg2's connections: the tpc_* methods of the DB-API."""

from __future__ import annotations

from typing import Any

from ._adapting import quote
from ._asynchronous import Asynchronous
from ._errors import ProgrammingError
from ._objects import Xid, check_xid
from ._talking import Steps


class TwoPhase(Asynchronous):
    """The part of a connection that prepares transactions and ends prepared ones."""

    _xid: Xid | None
    _prepared: bool
    _autocommit: bool

    def xid(self, format_id: int, gtrid: str, bqual: str) -> Xid:
        """Return a transaction id for tpc_begin."""
        self._check_open()
        return Xid(format_id, gtrid, bqual)

    def tpc_begin(self, xid: Any) -> None:
        """Begin a transaction that can be prepared."""
        self._check_open()
        self._refuse_async("tpc_begin")
        if self._autocommit:
            raise ProgrammingError("tpc_begin can't be called in autocommit mode")
        if self._session.transaction != b"I" or self._xid is not None:
            raise ProgrammingError("tpc_begin must be called outside a transaction")
        found = check_xid(xid)
        self._drive(self._command(self._begin_statement()))
        self._xid = found

    def tpc_prepare(self) -> None:
        """Prepare the transaction that tpc_begin began."""
        self._check_open()
        if self._xid is None or self._prepared:
            raise ProgrammingError("prepare must be called inside a two-phase transaction")
        self._drive(self._tpc_command("PREPARE TRANSACTION", self._xid))
        self._prepared = True

    def tpc_commit(self, xid: Any = None) -> None:
        """Commit the prepared transaction, or one left behind by its id."""
        self._finish_tpc("COMMIT", xid)

    def tpc_rollback(self, xid: Any = None) -> None:
        """Roll back the prepared transaction, or one left behind by its id."""
        self._finish_tpc("ROLLBACK", xid)

    def tpc_recover(self) -> list[Xid]:
        """Return the ids of the transactions that are prepared on the server."""
        self._check_open()
        cursor = self._plain_cursor()
        was_idle = self._session.transaction == b"I"
        cursor.execute("SELECT gid, prepared, owner, database FROM pg_prepared_xacts")
        found = []
        for gid, prepared, owner, database in cursor.fetchall():
            xid = Xid.from_string(gid)
            xid.prepared, xid.owner, xid.database = prepared, owner, database
            found.append(xid)
        if was_idle and not self._autocommit:
            self.rollback()
        return found

    def _plain_cursor(self) -> Any:
        """Return a cursor of tuples, whatever the connection's own are."""
        from ._cursor import cursor

        return cursor(self)

    def _finish_tpc(self, word: str, xid: Any) -> None:
        self._check_open()
        if xid is not None:
            if self._session.transaction != b"I" or self._xid is not None:
                raise ProgrammingError(
                    f"tpc_{word.lower()} with a xid must be called outside a transaction"
                )
            self._drive(self._tpc_command(f"{word} PREPARED", check_xid(xid)))
            return
        if self._xid is None:
            raise ProgrammingError(
                f"tpc_{word.lower()} with no parameter must be called in a two-phase transaction"
            )
        if self._prepared:
            self._drive(self._tpc_command(f"{word} PREPARED", self._xid))
        else:
            self._drive(self._end(word))
        self._xid, self._prepared = None, False

    def _tpc_command(self, words: str, xid: Xid) -> Steps:
        return self._command(f"{words} {quote(xid.as_tid(), self).decode()}")

    def _begin_statement(self) -> str:
        return "BEGIN"

    def __getattr__(self, name: str) -> Any:
        if name == "async":
            return self.async_
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
