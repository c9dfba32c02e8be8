"""asyncpg's transactions: blocks, savepoints inside others, isolation."""

from __future__ import annotations

import enum
from types import TracebackType
from typing import Any

from .exceptions import InterfaceError, InterfaceWarning

ISOLATION_LEVELS = {"read_committed", "read_uncommitted", "serializable", "repeatable_read"}
_BY_SERVER = {level.replace("_", " "): level for level in ISOLATION_LEVELS}


class TransactionState(enum.Enum):
    """Where a transaction is in its life."""

    NEW = 0
    STARTED = 1
    COMMITTED = 2
    ROLLEDBACK = 3
    FAILED = 4


class Transaction:
    """A transaction or savepoint, as a context manager or by start, commit and rollback."""

    __slots__ = (
        "_connection", "_deferrable", "_id", "_isolation", "_managed", "_nested", "_readonly",
        "_state",
    )  # fmt: skip

    def __init__(
        self, connection: Any, isolation: str | None, readonly: bool, deferrable: bool
    ) -> None:
        if isolation is not None and isolation not in ISOLATION_LEVELS:
            raise ValueError(
                f"isolation is expected to be either of {ISOLATION_LEVELS}, got {isolation!r}"
            )
        self._connection = connection
        self._isolation, self._readonly, self._deferrable = isolation, readonly, deferrable
        self._state = TransactionState.NEW
        self._nested = False
        self._id: str | None = None
        self._managed = False

    async def __aenter__(self) -> None:
        if self._managed:
            raise InterfaceError("cannot enter context: already in an `async with` block")
        self._managed = True
        await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._check_connection("exit")
        except InterfaceError:
            if kind is GeneratorExit:
                return
            raise
        try:
            if kind is not None:
                await self._rollback()
            else:
                await self._commit()
        finally:
            self._managed = False

    def _check_connection(self, operation: str) -> None:
        if self._connection.is_closed() and operation != "exit":
            raise InterfaceError("connection is closed")

    async def start(self) -> None:
        """Begin the transaction, or set the savepoint."""
        self._check_state("start")
        if self._state is TransactionState.STARTED:
            raise InterfaceError("cannot start; the transaction is already started")
        connection = self._connection
        if connection._top_xact is None:
            if connection._wire.session.transaction != b"I":
                raise InterfaceError(
                    "cannot use Connection.transaction() in a manually started transaction"
                )
            connection._top_xact = self
        else:
            await self._check_level(connection)
            self._nested = True
        if self._nested:
            self._id = connection._get_unique_id("savepoint")
            query = f"SAVEPOINT {self._id};"
        else:
            query = self._begin_statement()
        try:
            await connection.execute(query)
        except BaseException:
            self._state = TransactionState.FAILED
            if connection._top_xact is self:
                connection._top_xact = None
            raise
        self._state = TransactionState.STARTED

    async def _check_level(self, connection: Any) -> None:
        top = connection._top_xact
        if self._isolation is None:
            return
        level = top._isolation
        if level is None:
            level = _BY_SERVER[await connection.fetchval("SHOW transaction_isolation;")]
        if level != self._isolation:
            raise InterfaceError(
                "nested transaction has a different isolation level: current "
                f"{self._isolation!r} != outer {level!r}"
            )

    def _begin_statement(self) -> str:
        parts = ["BEGIN"]
        if self._isolation is not None:
            parts.append(f"ISOLATION LEVEL {self._isolation.replace('_', ' ').upper()}")
        if self._readonly:
            parts.append("READ ONLY")
        if self._deferrable:
            parts.append("DEFERRABLE")
        return " ".join(parts) + ";"

    def _check_state(self, operation: str) -> None:
        if self._state is TransactionState.STARTED:
            return
        if self._state is TransactionState.NEW:
            if operation == "start":
                return
            raise InterfaceError(f"cannot {operation}; the transaction is not yet started")
        words = {
            TransactionState.COMMITTED: "is already committed",
            TransactionState.ROLLEDBACK: "is already rolled back",
            TransactionState.FAILED: "is in error state",
        }
        raise InterfaceError(f"cannot {operation}; the transaction {words[self._state]}")

    async def _end(self, statement: str, savepoint: str, state: TransactionState) -> None:
        connection = self._connection
        if connection._top_xact is self:
            connection._top_xact = None
        try:
            await connection.execute(f"{savepoint} {self._id};" if self._nested else statement)
        except BaseException:
            self._state = TransactionState.FAILED
            raise
        self._state = state

    async def _commit(self) -> None:
        self._check_state("commit")
        await self._end("COMMIT;", "RELEASE SAVEPOINT", TransactionState.COMMITTED)

    async def _rollback(self) -> None:
        self._check_state("rollback")
        await self._end("ROLLBACK;", "ROLLBACK TO", TransactionState.ROLLEDBACK)

    async def commit(self) -> None:
        """Commit the transaction, or release the savepoint."""
        if self._managed:
            raise InterfaceError("cannot manually commit from within an `async with` block")
        await self._commit()

    async def rollback(self) -> None:
        """Roll back."""
        if self._managed:
            raise InterfaceError("cannot manually rollback from within an `async with` block")
        await self._rollback()

    def __repr__(self) -> str:
        parts = [f"state:{self._state.name.lower()}"]
        if self._isolation is not None:
            parts.append(self._isolation)
        if self._readonly:
            parts.append("readonly")
        if self._deferrable:
            parts.append("deferrable")
        return f"<asyncpg.Transaction {' '.join(parts)} {id(self):#x}>"


__all__ = ("InterfaceWarning", "Transaction", "TransactionState")
