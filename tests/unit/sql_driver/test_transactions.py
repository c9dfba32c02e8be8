from __future__ import annotations

import logging
import sqlite3

import pytest

from edgelift.worker.sqlite3.errors import LostRollbackError
from edgelift.worker.sqlite3.statement import parse
from edgelift.worker.sqlite3.transactions import Transaction


class Books:
    """A Transaction beside a real connection, fed with the same statements ("w" is a write)."""

    def __init__(self) -> None:
        self.books = Transaction("DB")
        self.real = sqlite3.connect(":memory:", isolation_level=None)
        self.real.execute("CREATE TABLE t(a)")

    def run(self, sql: str) -> tuple[str, str]:
        told = []
        for connection in (self._run_real, self._run_books):
            try:
                connection(sql)
                told.append("done")
            except sqlite3.OperationalError as error:
                told.append(f"{type(error).__name__}: {error}")
        assert self.books.open == self.real.in_transaction
        return told[0], told[1]

    def _run_real(self, sql: str) -> None:
        self.real.execute("INSERT INTO t VALUES(1)" if sql == "w" else sql)

    def _run_books(self, sql: str) -> None:
        if sql == "w":
            self.books.note_write()
        else:
            self.books.run(parse(sql))


@pytest.mark.parametrize(
    "statements",
    [
        ["COMMIT", "ROLLBACK", "BEGIN", "BEGIN", "COMMIT", "END"],
        ["BEGIN IMMEDIATE TRANSACTION", "ROLLBACK TRANSACTION", "BEGIN", "END TRANSACTION"],
        ["SAVEPOINT a", "SAVEPOINT b", "RELEASE a", "RELEASE b"],
        ["SAVEPOINT a", "w", "RELEASE SAVEPOINT A", "w", "SAVEPOINT a", "COMMIT", "RELEASE a"],
        ["BEGIN", "SAVEPOINT a", "w", "RELEASE a", "COMMIT", "BEGIN", "ROLLBACK"],
        ["BEGIN", "w", "SAVEPOINT a", "ROLLBACK TO a", "ROLLBACK TRANSACTION TO SAVEPOINT a", "ROLLBACK TO b"],
        ["SAVEPOINT a", "SAVEPOINT a", "RELEASE a", "RELEASE a", "RELEASE a"],
        ["w", "BEGIN", "ROLLBACK"],
    ],
)  # fmt: skip
def test_same_as_sqlite(statements: list[str]) -> None:
    books = Books()
    for sql in statements:
        expected, found = books.run(sql)
        assert found == expected, sql
    books.real.close()


@pytest.mark.parametrize(
    "statements",
    [
        ["BEGIN", "w", "ROLLBACK"],
        ["SAVEPOINT a", "w", "ROLLBACK"],
        ["BEGIN", "w", "SAVEPOINT a", "w", "ROLLBACK TO a"],
        ["BEGIN", "SAVEPOINT a", "SAVEPOINT b", "w", "RELEASE b", "ROLLBACK TO a"],
    ],
)
def test_a_lost_rollback_is_loud(statements: list[str], caplog: pytest.LogCaptureFixture) -> None:
    books = Books()
    for sql in statements[:-1]:
        assert books.run(sql) == ("done", "done")
    expected, found = books.run(statements[-1])
    assert expected == "done"
    assert found.startswith("LostRollbackError: ROLLBACK")
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "LOST ROLLBACK" in caplog.text
    books.real.close()


def test_a_lost_rollback_is_told_once() -> None:
    books = Transaction("DB")
    books.begin()
    books.note_write()
    with pytest.raises(LostRollbackError):
        books.roll_back()
    books.roll_back()
