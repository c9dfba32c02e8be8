"""Runs recorded statements over a moved database and compares what the driver gives with the server's.

A case file has lines `> statement`, each followed by what the real server gave: `= rows | types | tag`
or `! SQLSTATE class message`. The lines share one connection that commits by itself.

  python -m tests.cases.moved_drivers.replay postgresql    print what differs
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from edgelift.worker.moved import finding

HERE = Path(__file__).parent
# What differs from run to run: moments of now.
_VOLATILE = ((re.compile(r"DETAIL:.*", re.DOTALL), ""), (re.compile(r"LINE \d+:.*", re.DOTALL), ""))


def read_lines(engine: str, folder: Path = HERE) -> list[tuple[str, str]]:
    """Return (statement, what the server gave) of an engine's file."""
    found: list[tuple[str, str]] = []
    for line in (folder / f"{engine}.txt").read_text().splitlines():
        if line.startswith(("= ", "! ")):
            found[-1] = (found[-1][0], line)
        elif line.startswith("> "):
            found.append((line[2:], ""))
    return found


def steady(text: str) -> str:
    """Return an outcome without what only a server tells: the place of an error in the text."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text.strip()


def plain(value: Any) -> Any:
    """Show what has no repr of its own."""
    return ("memoryview", bytes(value)) if isinstance(value, memoryview) else value


ALIKE = {**dict.fromkeys((1, 2, 3, 8, 9), 3), **dict.fromkeys((6, 252, 253, 254), 253)}
FIRST_OWN_OID = 16384


def name_type(column: Any) -> tuple[str, int]:
    """Return a column's name and type."""
    return column.name, column.type_code


def run_postgresql(connection: Any, sql: str) -> str:
    """Run a statement by psycopg2 and return its outcome."""
    import psycopg2

    cursor = connection.cursor()
    try:
        cursor.execute(sql)
    except psycopg2.Error as error:
        names = ("constraint_name", "table_name", "column_name", "schema_name")
        diag = [getattr(error.diag, name) for name in names]
        text = steady(str(error.diag.message_primary))
        return f"! {error.pgcode} {type(error).__name__} {text!r} {diag}"
    if cursor.description is None:
        return f"= {cursor.rowcount} {cursor.statusmessage}"
    rows = [tuple(plain(value) for value in row) for row in cursor.fetchall()]
    # Enumerations have numbers of their own; over a moved database they are texts to the driver.
    codes = [
        code if code < FIRST_OWN_OID else 25 for *_rest, code in map(name_type, cursor.description)
    ]
    columns = list(zip([column.name for column in cursor.description], codes, strict=True))
    return f"= {rows!r} {columns} {cursor.statusmessage}"


def run_mysql(connection: Any, sql: str) -> str:
    """Run a statement by PyMySQL and return its outcome."""
    import pymysql

    cursor = connection.cursor()
    try:
        count = cursor.execute(sql)
    except pymysql.Error as error:
        text = f"! {type(error).__name__} {error.args!r}"
        # MariaDB 11 has other words for the place of a name than 10 and MySQL.
        return text.replace("in 'SELECT'", "in 'field list'").replace("in SELECT", "in field list")
    if cursor.description is None:
        return f"= {count} rows, id {cursor.lastrowid}"
    # A driver reads integers alike whatever their size, and texts.
    columns = [(name, ALIKE.get(code, code)) for name, code, *_rest in cursor.description]
    return f"= {cursor.fetchall()!r} {columns}"


RUNNERS = {"postgresql": run_postgresql, "mysql": run_mysql}


def replay(engine: str, connection: Any, folder: Path = HERE) -> list[tuple[str, str, str]]:
    """Return the lines whose outcome differs: statement, the server's, what was found."""
    run = RUNNERS[engine]
    return [
        (sql, expected, found)
        for sql, expected in read_lines(engine, folder)
        if (found := run(connection, sql)) != expected
    ]


def record(engine: str, connection: Any) -> None:
    """Write what a server gives; comments of the file stay."""
    path = HERE / f"{engine}.txt"
    written = []
    for line in path.read_text().splitlines():
        if line.startswith(("= ", "! ")) or not line:
            continue
        if line.startswith("#"):
            written.append(line)
            continue
        sql = line.removeprefix("> ")
        written += [f"> {sql}", RUNNERS[engine](connection, sql)]
    path.write_text("\n".join(written) + "\n")


def open_postgresql(dsn: str) -> Any:
    """Return a connection of our psycopg2 that commits by itself."""
    from edgelift.worker.postgres.installing import install

    install(("psycopg2",), blocking=False)
    import psycopg2

    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    return connection


def make_moved(engine: str, folder: Path, cases: Path = HERE) -> None:
    """Make the moved database anew in a folder and let drivers find it."""
    path = folder / "moved.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((cases / f"{engine}.moved.sql").read_text())
    known = json.loads((cases / f"{engine}.json").read_text())
    finding.configure([{"name": "main", "origin": engine, "path": str(path), "catalogue": known}])


def open_moved(engine: str, folder: Path) -> Any:
    """Return a connection of the same driver to the moved database, made anew in a folder."""
    make_moved(engine, folder)
    return OPENERS[engine]()


def open_mysql() -> Any:
    """Return a connection of PyMySQL to the moved database."""
    import pymysql

    from edgelift.worker.moved.servers import dial

    connection = pymysql.connect(user="me", database="main", autocommit=True, defer_connect=True)
    connection.connect(dial("main.moved.edgelift"))
    return connection


OPENERS = {
    "mysql": open_mysql,
    "postgresql": lambda: open_postgresql("host=main.moved.edgelift dbname=main user=me"),
}


def main() -> int:
    """Print the lines of an engine that differ."""
    with tempfile.TemporaryDirectory() as name:
        cases = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE
        connection = open_moved(sys.argv[1], Path(name))
        for sql, expected, found in replay(sys.argv[1], connection, cases):
            print(f"> {sql}\n  {expected}\n  {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
