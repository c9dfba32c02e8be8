"""What SQLite, or the reading of a value, refuses in MySQL's words: number, SQLSTATE, message."""

from __future__ import annotations

import re
from typing import Any

from edgelift.worker.moved.catalogue import Catalogue, Table
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.mysql_values import write_value
from edgelift.worker.moved.reports import (
    CHECK,
    NOT_NULL,
    OWN,
    UNIQUE,
    Row,
    Violation,
    find_broken_key,
    is_missing,
)

# By the number that the server gives (share/errmsg-utf8.txt); the rest is 1105, ER_UNKNOWN_ERROR.
_STATES = {
    1048: "23000", 1062: "23000", 1451: "23000", 1452: "23000", 4025: "23000", 1364: "HY000",
    1054: "42S22", 1146: "42S02", 1064: "42000", 1052: "23000", 1136: "21S01", 1264: "22003",
    1366: "22007", 1292: "22007", 1406: "22001", 1265: "01000", 1305: "42000", 1235: "42000",
    1105: "HY000", 1205: "HY000", 1213: "40001", 1792: "25006", 1030: "HY000", 1065: "42000",
    1222: "21000", 1241: "21000", 1193: "HY000",
}  # fmt: skip
# What the reading of PostgreSQL's statements raises and MySQL's would with another number.
_NUMBERS = {
    "42703": 1054, "42P01": 1146, "42601": 1064, "42702": 1052, "0A000": 1235, "42883": 1305,
    "25006": 1792, "22003": 1264, "22P02": 1366, "22001": 1406, "22007": 1292, "22008": 1292,
    "58030": 1030, "40001": 1213, "3B001": 1305,
}  # fmt: skip


def make(number: int, message: str) -> ServerError:
    """Return an error with MySQL's number."""
    error = ServerError(_STATES.get(number, "HY000"), message)
    error.number = number
    return error


def find_number(error: ServerError) -> tuple[int, str]:
    """Return the number and the SQLSTATE of an error."""
    number = error.number or _NUMBERS.get(error.sqlstate, 1105)
    return number, _STATES.get(number, "HY000")


def reword(  # noqa: PLR0911 - one for each error
    error: ServerError, database: str, column: str = "", kind: str = ""
) -> ServerError:
    """Return an error of reading a statement or a value in MySQL's words.

    `column` and the name of its `kind` are where the value was to go; `database` has its table.
    """
    if error.number:
        return error
    quoted = re.findall(r'"([^"]*)"', error.message)
    first = quoted[0] if quoted else ""
    if error.sqlstate == "42703":
        name = first or error.message.split()[1]
        return make(1054, f"Unknown column '{name}' in 'field list'")
    if error.sqlstate == "42P01" and error.message.startswith("relation"):
        return make(1146, f"Table '{database}.{first}' doesn't exist")
    if error.sqlstate == "42P01":
        return make(1054, f"Unknown column '{first}' in 'field list'")
    if error.sqlstate == "42702":
        return make(1052, f"Column '{first}' in field list is ambiguous")
    if error.sqlstate == "22003":
        return make(1264, f"Out of range value for column '{column}' at row 1")
    if error.sqlstate == "22001":
        return make(1406, f"Data too long for column '{column}' at row 1")
    if error.sqlstate == "22P02" and "enum" in error.message:
        return make(1265, f"Data truncated for column '{column}' at row 1")
    if error.sqlstate in {"22P02", "22007", "22008"}:
        return _reword_value(error, f"{database}.`{column}`", quoted, kind)
    return error


def _reword_value(error: ServerError, column: str, quoted: list[str], kind: str) -> ServerError:
    kind = {"int2": "integer", "int4": "integer", "int8": "integer", "float8": "double"}.get(
        kind, kind
    )
    kind = {"timestamp": "datetime", "numeric": "decimal", "smallint": "integer", "bigint":
            "integer"}.get(kind, kind)  # fmt: skip
    value = quoted[-1] if quoted else ""
    number = 1292 if kind in {"date", "datetime", "time"} else 1366
    return make(number, f"Incorrect {kind} value: '{value}' for column {column} at row 1")


def explain(  # noqa: C901, PLR0911 - one for each error
    error: Exception, catalogue: Catalogue, about: Violation, db: Any, database: str
) -> ServerError:
    """Return the server's error for one of SQLite's."""
    text = str(error)
    if found := UNIQUE.match(text):
        return _explain_unique(found[1], catalogue, about)
    if found := NOT_NULL.match(text):
        if about.verb == "INSERT" and found[2] not in about.listed:
            return make(1364, f"Field '{found[2]}' doesn't have a default value")
        return make(1048, f"Column '{found[2]}' cannot be null")
    if found := CHECK.match(text):
        shown = found[1].strip().strip('"')
        table = about.table.origin if about.table else ""
        return make(4025, f"CONSTRAINT `{shown}` failed for `{database}`.`{table}`")
    if text.startswith("FOREIGN KEY constraint failed"):
        return _explain_reference(catalogue, about, db, database)
    if found := OWN.search(text):
        words = found[2].split()
        column = words[0] if words else ""
        if found[1] == "21000":
            return make(1242, "Subquery returns more than 1 row")
        if found[1] == "22001":
            return make(1406, "Data too long for column at row 1")
        return make(1264, f"Out of range value for column '{column}' at row 1")
    if "database is locked" in text:
        return make(1205, "Lock wait timeout exceeded; try restarting transaction")
    if text == "disk I/O error":
        return make(1030, text)
    return make(1105, f"the moved database: {text}")


def _explain_unique(text: str, catalogue: Catalogue, about: Violation) -> ServerError:
    key = find_broken_key(text, catalogue, about)
    shown = "-".join(_show(key.table, column, about.row) for column in key.columns)
    name = "PRIMARY" if key.primary else key.name
    return make(1062, f"Duplicate entry '{shown}' for key '{name}'")


def _show(table: Table | None, name: str, row: Row) -> str:
    column = table.find_column(name) if table is not None else None
    value = row.get(name)
    if value is None or column is None:
        return "NULL" if value is None else str(value)
    return (write_value(column.kind, value) or b"").decode("utf-8", "replace")


def _explain_reference(
    catalogue: Catalogue, about: Violation, db: Any, database: str
) -> ServerError:
    table = about.table
    if table is not None and about.verb in {"INSERT", "UPDATE", "REPLACE"}:
        for reference in table.references:
            if is_missing(reference, about.row, db) or len(table.references) == 1:
                words = _tell_reference(database, table, reference, catalogue)
                return make(1452, f"Cannot add or update a child row: {words}")
    for child in catalogue.tables.values():
        for reference in child.references:
            if table is not None and reference.table == table.name:
                words = _tell_reference(database, child, reference, catalogue)
                return make(1451, f"Cannot delete or update a parent row: {words}")
    return make(1452, "Cannot add or update a child row: a foreign key constraint fails")


def _tell_reference(database: str, table: Table, reference: Any, catalogue: Catalogue) -> str:
    target = catalogue.find_stored(reference.table)
    columns = ", ".join(f"`{column}`" for column in reference.columns)
    keys = ", ".join(f"`{key}`" for key in reference.keys)
    actions = reference.actions
    return (
        f"a foreign key constraint fails (`{database}`.`{table.origin}`, CONSTRAINT "
        f"`{reference.name}` FOREIGN KEY ({columns}) REFERENCES "
        f"`{target.origin if target else reference.table}` ({keys}){actions})"
    )
