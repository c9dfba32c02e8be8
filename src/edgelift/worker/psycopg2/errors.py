"""psycopg2.errors: an exception class for each SQLSTATE."""

from __future__ import annotations

from typing import Any

from ._errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    QueryCanceledError,
    TransactionRollbackError,
    Warning,  # noqa: A004
    sqlstate_errors,
)

for _class in sqlstate_errors.values():
    globals()[_class.__name__] = _class


for _base in (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    QueryCanceledError,
    TransactionRollbackError,
    Warning,
):
    globals()[_base.__name__] = _base


def lookup(code: str) -> Any:
    """Return the class of an SQLSTATE; raises KeyError for one that has none."""
    return sqlstate_errors[code]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'psycopg2.errors' has no attribute {name!r}")
