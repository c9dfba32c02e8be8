"""What SQLite refuses, in the words of PostgreSQL: SQLSTATE, constraint, column, detail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from edgelift.worker.moved.catalogue import Catalogue, Reference, Table
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.outputs import write_text

UNIQUE = re.compile(r"UNIQUE constraint failed: (.*)", re.DOTALL)
INDEX = re.compile(r"index '(.*)'")
NOT_NULL = re.compile(r"NOT NULL constraint failed: (.+)\.(.+)")
CHECK = re.compile(r"CHECK constraint failed: (.*)", re.DOTALL)
# What builder.fail_with raises: code and words, in the text of a path that json_extract refuses.
OWN = re.compile(r"'edgelift (\w+) ?([^']*)'")
_OWN_ERRORS: dict[str, Callable[[list[str]], ServerError]] = {
    "21000": lambda _words: ServerError(
        "21000", "more than one row returned by a subquery used as an expression"
    ),
    "22012": lambda _words: ServerError("22012", "division by zero"),
    "22001": lambda words: ServerError(
        "22001", f"value too long for type {' '.join(words[:-1])}({words[-1]})"
    ),
    "22003": lambda words: ServerError("22003", f"{' '.join(words)} out of range"),
    "overflow": lambda words: _overflow(int(words[0]), int(words[1])),
}
Row = Mapping[str, Any]


def _overflow(precision: int, scale: int) -> ServerError:
    limit = f"10^{precision - scale}" if precision > scale else "1"
    return ServerError(
        "22003",
        "numeric field overflow",
        D=f"A field with precision {precision}, scale {scale} must round to an absolute value "
        f"less than {limit}.",
    )


class Violation:
    """What a failed statement was about: its table and the values of a single row, as stored."""

    def __init__(
        self, verb: str, table: Table | None, row: Row, listed: frozenset[str] = frozenset()
    ) -> None:
        self.verb, self.table, self.row, self.listed = verb, table, row, listed


def explain(  # noqa: PLR0911 - one for each error
    error: Exception, catalogue: Catalogue, about: Violation, db: Any
) -> ServerError:
    """Return the server's error for one of SQLite's."""
    text = str(error)
    if found := UNIQUE.match(text):
        return _explain_unique(found[1], catalogue, about)
    if found := NOT_NULL.match(text):
        table = catalogue.find_stored(found[1])
        shown = table.origin if table else found[1]
        return ServerError(
            "23502",
            f'null value in column "{found[2]}" of relation "{shown}" violates not-null constraint',
            **_place(table, c=found[2]),
        )
    if found := CHECK.match(text):
        return _explain_check(found[1], about)
    if text.startswith("FOREIGN KEY constraint failed"):
        return _explain_reference(catalogue, about, db)
    if found := OWN.search(text):
        return _OWN_ERRORS[found[1]](found[2].split())
    if "database is locked" in text or "SQLITE_BUSY" in text:
        return ServerError("40001", "could not serialize access due to concurrent update")
    if text == "disk I/O error":
        return ServerError("58030", text)
    if "too big" in text:
        return ServerError("54000", f"the moved database: {text}")
    return ServerError("XX000", f"the moved database: {text}")


def _place(table: Table | None, **fields: str) -> dict[str, str]:
    if table is None:
        return fields
    return {"s": table.schema, "t": table.origin, **fields}


class BrokenKey(NamedTuple):
    """Which uniqueness a statement broke; `name` is empty where it is no key of the table."""

    table: Table | None
    name: str
    columns: Sequence[str]
    primary: bool = False


def find_broken_key(text: str, catalogue: Catalogue, about: Violation) -> BrokenKey:
    """Return the key of SQLite's words behind `UNIQUE constraint failed: `."""
    name, columns, table = "", [], about.table
    if index := INDEX.match(text):
        name = index[1]
    else:
        places = [place.rpartition(".") for place in text.split(", ")]
        table = catalogue.find_stored(places[0][0]) or table
        columns = [place[2] for place in places]
    for key in table.keys if table is not None else ():
        if key.name == name or set(key.columns) == set(columns):
            return BrokenKey(table, key.name, key.columns, key.primary)
    return BrokenKey(table, name, columns)


def _explain_unique(text: str, catalogue: Catalogue, about: Violation) -> ServerError:
    table, name, columns, _ = find_broken_key(text, catalogue, about)
    fields = _place(table, n=name)
    if columns and table is not None and all(column in about.row for column in columns):
        shown = ", ".join(_show(table, column, about.row) for column in columns)
        fields = {"D": f"Key ({', '.join(columns)})=({shown}) already exists.", **fields}
    return ServerError(
        "23505", f'duplicate key value violates unique constraint "{name}"', **fields
    )


def _show(table: Table, name: str, row: Row) -> str:
    column = table.find_column(name)
    value = row.get(name)
    return "null" if value is None or column is None else write_text(column.kind, value) or ""


def _explain_check(text: str, about: Violation) -> ServerError:
    table = about.table
    name = text.strip().strip('"')
    shown = table.origin if table else ""
    fields = _place(table, n=name)
    if table is not None and all(column.name in about.row for column in table.columns):
        row = ", ".join(_show(table, column.name, about.row) for column in table.columns)
        fields = {"D": f"Failing row contains ({row}).", **fields}
    return ServerError(
        "23514", f'new row for relation "{shown}" violates check constraint "{name}"', **fields
    )


def _explain_reference(catalogue: Catalogue, about: Violation, db: Any) -> ServerError:
    table = about.table
    if table is not None and about.verb in {"INSERT", "UPDATE"}:
        for reference in table.references:
            if is_missing(reference, about.row, db):
                return _missing_error(catalogue, table, reference, about.row)
        if about.verb == "INSERT" and len(table.references) == 1:
            return _missing_error(catalogue, table, table.references[0], about.row)
    referring = [
        (child, reference)
        for child in catalogue.tables.values()
        for reference in child.references
        if table is not None and reference.table == table.name
    ]
    if len(referring) == 1 or (referring and about.verb == "DELETE"):
        child, reference = referring[0]
        assert table is not None
        return ServerError(
            "23503",
            f'update or delete on table "{table.origin}" violates foreign key constraint '
            f'"{reference.name}" on table "{child.origin}"',
            **_reference_detail(table, child, reference, about.row),
            **_place(child, n=reference.name),
        )
    return ServerError("23503", "violates foreign key constraint", **_place(table))


def _reference_detail(table: Table, child: Table, reference: Reference, row: Row) -> dict[str, str]:
    if not all(key in row for key in reference.keys):
        return {}
    keys = ", ".join(reference.keys)
    shown = ", ".join(_show(table, key, row) for key in reference.keys)
    return {"D": f'Key ({keys})=({shown}) is still referenced from table "{child.origin}".'}


def is_missing(reference: Reference, row: Row, db: Any) -> bool:
    """Return whether the row that a foreign key leads to is not there."""
    values = [row.get(column) for column in reference.columns]
    if any(value is None for value in values):
        return False
    where = " AND ".join(f'"{key}" = ?' for key in reference.keys)
    found: Sequence[Any] = db.execute(
        f'SELECT 1 FROM "{reference.table}" WHERE {where} LIMIT 1',
        values,
    ).fetchall()
    return not found


def _missing_error(
    catalogue: Catalogue, table: Table, reference: Reference, row: Row
) -> ServerError:
    target = catalogue.find_stored(reference.table)
    shown = target.origin if target else reference.table
    fields = _place(table, n=reference.name)
    if all(column in row for column in reference.columns):
        values = ", ".join(_show(table, column, row) for column in reference.columns)
        detail = (
            f'Key ({", ".join(reference.columns)})=({values}) is not present in table "{shown}".'
        )
        fields = {"D": detail, **fields}
    return ServerError(
        "23503",
        f'insert or update on table "{table.origin}" violates foreign key constraint '
        f'"{reference.name}"',
        **fields,
    )
