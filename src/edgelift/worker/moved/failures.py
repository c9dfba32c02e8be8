"""Errors as the origin's server words them: SQLSTATE, message, and what its drivers read of it."""

from __future__ import annotations


class ServerError(Exception):
    """What the server would answer; `fields` are further fields of PostgreSQL's report.

    Their letters are those of the protocol: D detail, H hint, s schema, t table, c column,
    d data type, n constraint.
    """

    def __init__(self, sqlstate: str, message: str, **fields: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.fields = fields
        self.number = 0  # MySQL's own, where its words were meant


def refuse(reason: str) -> ServerError:
    """Return the error of a statement that has no form over the moved database."""
    return ServerError(
        "0A000",
        f"the moved database cannot run this statement: {reason}",
        H="edgelift plan finds such statements before the cut; rewrite it, or keep the database "
        'on its server (strategy = "hyperdrive")',
    )


def syntax_error(message: str) -> ServerError:
    """Return the error of a text that is no SQL."""
    return ServerError("42601", message)
