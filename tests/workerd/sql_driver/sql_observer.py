"""Runs the same steps on any sqlite3 module and writes down everything a caller can see."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[2] / "cases" / "sql"


class Level(enum.IntEnum):
    LOW = 3


class Colour(enum.StrEnum):
    RED = "red"


class Fraction(float):
    pass


class Conforming:
    def __conform__(self, protocol: type) -> str:
        return f"conformed by {protocol.__name__}"


class Adapted:
    pass


PYTHON_VALUES: dict[str, Callable[[], Any]] = {
    "object": object,
    "decimal": lambda: decimal.Decimal("1.5"),
    "list": list,
    "complex": lambda: 1j,
    "surrogate": lambda: "a\ud800",
    "uuid": lambda: uuid.UUID(int=1),
    "timedelta": lambda: dt.timedelta(1),
    "date": lambda: dt.date(2024, 2, 29),
    "datetime": lambda: dt.datetime(2024, 2, 29, 1, 2, 3, 45),  # noqa: DTZ001
    "bytearray": lambda: bytearray(b"\0a"),
    "memoryview": lambda: memoryview(b"xyz")[1:],
    "intenum": lambda: Level.LOW,
    "strenum": lambda: Colour.RED,
    "floatsub": lambda: Fraction(1.5),
    "conform": Conforming,
    "adapted": Adapted,
}


def read_cases() -> list[tuple[str, list[Any]]]:
    found = []
    for path in sorted(CASES.glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8")):
            found.append((f"{path.stem}: {case['case']}", case["run"]))
    return found


def to_python(value: Any) -> Any:
    """Return the value a case file means: {"blob": hex}, {"float": text}, {"int": text}, {"python": name}."""
    if isinstance(value, list):
        return [to_python(item) for item in value]
    if not isinstance(value, dict) or len(value) != 1:
        return {k: to_python(v) for k, v in value.items()} if isinstance(value, dict) else value
    (kind, inner) = next(iter(value.items()))
    makers: dict[str, Callable[[Any], Any]] = {
        "blob": bytes.fromhex,
        "float": float,
        "int": int,
        "python": lambda name: PYTHON_VALUES[name](),
    }
    return makers[kind](inner) if kind in makers else {kind: to_python(inner)}


def _values(kind: str, count: int) -> list[Any]:
    makers: dict[str, Callable[[int], Any]] = {
        "int": lambda i: i * 7 + 2**53,
        "text": lambda i: f"it's {i}",
        "float": lambda i: i / 7,
        "long": lambda i: f"{i} " + "é'" * 600,
        "mixed": lambda i: [i, f"t{i}", i / 3, None, bytes([i % 256])][i % 5],
    }
    return [makers[kind](i) for i in range(count)]


def _expand(step: dict[str, Any]) -> tuple[str, list[Any]]:
    """Return the long statement a generated step stands for."""
    if "columns" in step:
        names = [f"{i} AS c{i}" if i % 3 else f"'t{i}'" for i in range(step["columns"])]
        return f"SELECT {', '.join(names)}", []
    if "in" in step:
        values = _values(step["kind"], step["in"])
        marks = ",".join("?" * len(values))
        table = "(SELECT ? AS x UNION ALL SELECT ? UNION ALL SELECT 'none')"
        return f"SELECT x FROM {table} WHERE x IN ({marks})", [values[3], values[-1], *values]
    if "returning" in step:
        count = step["returning"]
        marks = ",".join("(?, ?)" for _ in range(count))
        values = [item for i in range(count) for item in (1000 + i, f"r{i}")]
        return f"INSERT INTO t(id, a) VALUES {marks} RETURNING id, a", values
    values = _values(step["kind"], step["values"])
    marks = ",".join("(?, ?, NULL)" for _ in values)
    pairs = [item for i, value in enumerate(values) for item in (i, value)]
    return f"INSERT INTO t VALUES {marks}", pairs


def _shown(value: Any) -> Any:
    if isinstance(value, float) and value == 0:
        return ("float", math.copysign(1.0, value), value)
    return (type(value).__name__, value)


class Observer:
    """A connection and what its statements showed."""

    def __init__(self, module: Any, connection: Any) -> None:
        self.module = module
        self.connection = connection

    def run(self, step: Any) -> Any:
        """Run one step of a case and return what was seen: rows with types, names, counters, or the error."""
        before = self.connection.total_changes
        try:
            seen: Any = (self._run(step), self.connection.total_changes - before)
            if isinstance(step, list) and step[0] == "setup":
                return None
        except (
            self.module.Error,
            self.module.Warning,
            ArithmeticError,
            ValueError,
            TypeError,
        ) as error:
            code = getattr(error, "sqlite_errorname", None)
            # CPython 3.11 does not know the name of every code.
            code = "SQLITE_CONSTRAINT_DATATYPE" if code == "unknown" else code
            seen = ("error", type(error).__name__, str(error), code)
        return (seen, self.connection.in_transaction)

    def _run(self, step: Any) -> Any:
        connection = self.connection
        if step in (["commit"], ["rollback"]):
            return getattr(connection, step[0])()
        cursor = connection.cursor()
        if isinstance(step, list) and step[0] == "setup":
            self.connection.execute(step[1])
            return self.connection.execute("SELECT 'done'").fetchall()
        if isinstance(step, list) and step[0] == "script":
            cursor.executescript(step[1])
        elif isinstance(step, list) and step[0] == "many":
            cursor.executemany(step[1], to_python(step[2]))
        elif isinstance(step, dict):
            cursor.execute(*_expand(step))
        elif isinstance(step, list):
            cursor.execute(step[0], to_python(step[1]))
        else:
            cursor.execute(step)
        before = cursor.rowcount
        rows = [tuple(_shown(cell) for cell in row) for row in cursor.fetchall()]
        names = [column[0] for column in cursor.description] if cursor.description else None
        return rows, names, before, cursor.rowcount, cursor.lastrowid
