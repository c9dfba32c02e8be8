"""Turns an application's parameters into the values SQLite would bind, with CPython's checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from edgelift.worker.sqlite3.adapting import PrepareProtocol, adapt
from edgelift.worker.sqlite3.errors import ProgrammingError, make_error
from edgelift.worker.sqlite3.statement import Statement

# What SQLite stores: int within 64 bits, finite or infinite float, text, blob, NULL.
Value = int | float | str | bytes | None

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
# D1 limits page: "Maximum string, BLOB or table row size 2,000,000 bytes"; workerd itself would
# take more.
LARGEST_VALUE_BYTES = 2_000_000
_PLAIN = frozenset({int, float, str, bytes, bytearray, type(None)})
_T = TypeVar("_T", str, bytes)


def bind_values(statement: Statement, parameters: Any) -> list[Value]:
    """Return one value for each parameter of the statement, by number.

    Raises what CPython's sqlite3 raises for wrong counts, names, types and sizes.
    """
    if isinstance(parameters, (list, tuple)) or (
        not isinstance(parameters, Mapping) and _is_sequence(parameters)
    ):
        return _bind_sequence(statement, parameters)
    if isinstance(parameters, Mapping):
        return _bind_mapping(statement, parameters)
    raise ProgrammingError("parameters are of unsupported type")


def _is_sequence(parameters: Any) -> bool:
    kind = type(parameters)
    return hasattr(kind, "__getitem__") and hasattr(kind, "__len__")


def _bind_sequence(statement: Statement, parameters: Sequence[Any]) -> list[Value]:
    needed, given = len(statement.names), len(parameters)
    if needed != given:
        raise ProgrammingError(
            "Incorrect number of bindings supplied. The current statement uses "
            f"{needed}, and there are {given} supplied."
        )
    return [to_value(parameters[index], str(index + 1)) for index in range(needed)]


def _bind_mapping(statement: Statement, parameters: Mapping[str, Any]) -> list[Value]:
    values = []
    for number, name in enumerate(statement.names, 1):
        if name is None:
            raise ProgrammingError(
                f"Binding {number} has no name, but you supplied a dictionary "
                "(which has only names)."
            )
        try:
            given = parameters[name[1:]]
        except LookupError:
            raise ProgrammingError(
                f"You did not supply a value for binding parameter :{name[1:]}."
            ) from None
        values.append(to_value(given, str(number)))
    return values


def to_value(given: Any, place: str) -> Value:
    """Return what SQLite would store for a Python value; `place` names the parameter in errors."""
    kind = type(given)
    value = given if kind in _PLAIN else adapt(given, PrepareProtocol, given)
    if value is None:
        return None
    if isinstance(value, int):
        return _check_integer(int(value))
    if isinstance(value, float):
        return None if value != value else float(value)  # noqa: PLR0124 - NaN is stored as NULL
    if isinstance(value, str):
        return _check_size(str.__str__(value), len(value.encode()))
    try:
        view = memoryview(value)
    except TypeError:
        raise ProgrammingError(
            f"Error binding parameter {place}: type '{_type_name(type(value))}' is not supported"
        ) from None
    content = view.tobytes()
    return _check_size(content, len(content))


def _check_integer(value: int) -> int:
    if not _SMALLEST <= value <= _LARGEST:
        raise OverflowError("Python int too large to convert to SQLite INTEGER")
    return value


def _check_size(value: _T, size: int) -> _T:
    if size > LARGEST_VALUE_BYTES:
        raise make_error(
            f"string or blob too big: {size:,} bytes, D1 stores at most {LARGEST_VALUE_BYTES:,}",
            "SQLITE_TOOBIG",
        )
    return value


def _type_name(kind: type) -> str:
    """Return the name CPython prints: with the module for types made in C, without for classes."""
    made_in_python = "__dict__" in vars(kind) or "__weakref__" in vars(kind)
    module = kind.__module__
    return (
        kind.__qualname__ if made_in_python or module == "builtins" else f"{module}.{kind.__name__}"
    )
