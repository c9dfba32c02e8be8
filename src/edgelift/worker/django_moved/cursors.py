"""Cursors over a moved database: statements as translated before the cut, values in its forms."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.backends.sqlite3 import base as sqlite
from django.utils.dateparse import parse_date, parse_datetime, parse_time

from edgelift.worker.django_moved import texts
from edgelift.worker.django_moved.values import write_parameter
from edgelift.worker.moved.stored_values import read_decimal

Read = Callable[[Any], Any]
_MICROSECOND = dt.timedelta(microseconds=1)


class MovedCursor(sqlite.SQLiteCursorWrapper):
    """Runs the app's SQL, and that of the ORM, in the moved database."""

    wrapper: Any = None

    def execute(self, query: Any, params: Any = None) -> Any:
        """Run a statement; a text of the app in its server's words runs as it was translated."""
        query = str(query)
        self.wrapper.check_transaction(query)
        self.row_factory = self._choose_reader(query)
        try:
            self._run(query, self._write(params))
        except self.wrapper.Database.Error:
            self.wrapper.note_failure()
            raise
        self.wrapper.note_statement(query)
        return self

    def _run(self, query: str, params: Any) -> None:
        """Run a statement; a translated one has SQLite's own places for its parameters."""
        known = texts.read_text(query)
        if known is None:
            super().execute(query, params)
        elif params is None:
            sqlite.Database.Cursor.execute(self, known)
        else:
            sqlite.Database.Cursor.execute(self, known, params)

    def _choose_reader(self, query: str) -> Any:
        """Return what reads rows as the server's driver gives them; the ORM reads its own."""
        if self.wrapper.of_orm:
            return None
        kinds = texts.read_kinds(query)
        return make_row_reader(kinds, self.wrapper) if kinds else self.wrapper.read_row

    def executemany(self, query: Any, param_list: Any) -> Any:
        """Run a statement for each of the parameters."""
        query = str(query)
        self.wrapper.check_transaction(query)
        try:
            rows = [self._write(params) for params in param_list]
            known = texts.read_text(query)
            if known is None:
                super().executemany(query, rows)
            else:
                sqlite.Database.Cursor.executemany(self, known, rows)
        except self.wrapper.Database.Error:
            self.wrapper.note_failure()
            raise
        return self

    def _write(self, params: Any) -> Any:
        if params is None:
            return None
        if isinstance(params, Mapping):
            return {name: self._write_one(value) for name, value in params.items()}
        return [self._write_one(value) for value in params]

    def _write_one(self, value: Any) -> Any:
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            value = self.wrapper.place_naive(value)
        return write_parameter(value, self.wrapper.uuid_form)


def make_row_reader(kinds: Sequence[str], wrapper: Any) -> Callable[[Any, Any], tuple[Any, ...]]:
    """Return a row factory that gives values as the server's driver does, by their kinds."""
    readers = [find_reader(kind, wrapper) for kind in kinds]

    def read(_cursor: Any, row: Any) -> tuple[Any, ...]:
        if len(row) != len(readers):
            return tuple(row)
        pairs = zip(row, readers, strict=True)
        return tuple(v if v is None or r is None else r(v) for v, r in pairs)

    return read


def find_reader(kind: str, wrapper: Any) -> Read | None:
    """Return what reads values of a kind (see sources/server_kinds.py), None for plain ones."""
    name, _, scale = kind.partition(":")
    if name == "numeric":
        return lambda value: read_places(value, int(scale) if scale else None)
    readers: dict[str, Read] = {
        "boolean": bool,
        "timestamp": read_moment,
        "timestamptz": wrapper.read_zoned,
        "date": lambda v: parse_date(v[:10]) if isinstance(v, str) else v,
        "time": lambda v: parse_time(v) if isinstance(v, str) else v,
        "interval": lambda v: v * _MICROSECOND if isinstance(v, int) else v,
        "array": lambda v: json.loads(v) if isinstance(v, str) else v,
    }
    return readers.get(name)


def read_places(value: Any, scale: int | None) -> Any:
    """Return a decimal with the places of its column."""
    if isinstance(value, Decimal) and scale is not None and value.is_finite():
        return value.quantize(Decimal(1).scaleb(-scale))
    return read_decimal(value, scale)


def read_moment(value: Any) -> Any:
    """Return the datetime of a text."""
    return parse_datetime(value) if isinstance(value, str) else value


def read_number(value: bytes) -> Decimal:
    """Return what a NUMERIC column holds: a converter of sqlite3, for raw statements."""
    found: Decimal = read_decimal(
        float(value) if not value.lstrip(b"-").isdigit() else int(value), None
    )
    return found
