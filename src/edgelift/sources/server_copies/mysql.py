"""Scratch copies of a MySQL or MariaDB database, by statements alone; the origin is only read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor

from edgelift.errors import OriginError
from edgelift.model.server_url import ServerUrl
from edgelift.sources.server_copies.mirror import MirrorTable, fill_table, write_mirror

_NUMBERS: dict[Any, Any] = {
    FIELD_TYPE.TINY: int, FIELD_TYPE.SHORT: int, FIELD_TYPE.LONG: int, FIELD_TYPE.INT24: int,
    FIELD_TYPE.LONGLONG: int, FIELD_TYPE.YEAR: int, FIELD_TYPE.FLOAT: float,
    FIELD_TYPE.DOUBLE: float,
}  # fmt: skip
_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), "INTEGER"),
    **dict.fromkeys(("float", "double"), "REAL"),
    "unsigned": "",  # of 64 bits: what is beyond SQLite's integers stays text, exactly
    **dict.fromkeys(("blob", "tinyblob", "mediumblob", "longblob", "binary", "varbinary", "bit"),
                    "BLOB"),
}  # fmt: skip
_DEFINER = re.compile(r"\sDEFINER\s*=\s*`[^`]*`@`[^`]*`", re.IGNORECASE)
_LARGEST = 2**63 - 1


class MysqlCopies:
    """See ServerCopies. Copies of copies are made alike, so `make_copy` is `make_template` again.

    Rows are read without locks, table by table, so a template of a database that is written to
    meanwhile may hold one table a moment older than another; all copies of it are the same.
    """

    def __init__(self, origin: ServerUrl, place: ServerUrl) -> None:
        self._origin = origin
        self._place = place

    def measure(self) -> int:
        """Return the size of the origin's tables with their indexes, as the server estimates it."""
        with _connect(self._origin) as db:
            found = _run(
                db,
                "SELECT coalesce(sum(data_length + index_length), 0) FROM "
                "information_schema.tables WHERE table_schema = DATABASE()",
            )
        return int(found[0][0])

    def make_template(self, name: str) -> None:
        """Copy the origin's database as it is now; raises OriginError."""
        self._copy(self._origin, name)

    def make_copy(self, template: str, name: str) -> ServerUrl:
        """Copy a template."""
        self._copy(_at(self._place, template), name)
        return _at(self._place, name)

    def drop(self, name: str) -> None:
        """Drop a copy; sessions that use it get an error at their next statement."""
        with self._manage() as db:
            _run(db, f"DROP DATABASE IF EXISTS {quote(name)}")

    def list_names(self, prefix: str) -> list[str]:
        """Return the databases that begin with a prefix."""
        with self._manage() as db:
            return [row[0] for row in _run(db, "SHOW DATABASES") if row[0].startswith(prefix)]

    def export(self, name: str, file: Path) -> None:
        """Write all tables of a copy into a SQLite file."""
        with _connect(_at(self._place, name)) as db, write_mirror(file) as mirror:
            for table in _list_objects(db, "BASE TABLE"):
                kinds = {
                    column: _KINDS.get(kind, "TEXT") for column, kind, _ in _columns(db, table)
                }
                key = _key(db, table)
                fill_table(
                    mirror, MirrorTable(table, kinds, key), _read_rows(db, table, kinds, key)
                )

    def _copy(self, source: ServerUrl, name: str) -> None:
        with _connect(source) as origin, self._manage() as target:
            defaults = _run(
                origin,
                "SELECT default_character_set_name, default_collation_name FROM "
                "information_schema.schemata WHERE schema_name = DATABASE()",
            )[0]
            _run(target, f"DROP DATABASE IF EXISTS {quote(name)}")
            self._create(target, name, defaults)
            target.select_db(name)
            _run(target, "SET foreign_key_checks = 0, unique_checks = 0, sql_mode = ''")
            tables = _list_objects(origin, "BASE TABLE")
            for table in tables:
                _run(target, _run(origin, f"SHOW CREATE TABLE {quote(table)}")[0][1])
            local = (source.host, source.port) == (self._place.host, self._place.port)
            for table in tables:
                self._copy_rows(origin, target, source.database, table, local=local)
            _copy_code(origin, target)

    def _create(self, db: Any, name: str, defaults: tuple[str, str]) -> None:
        charset, collation = defaults
        try:
            _run(db, f"CREATE DATABASE {quote(name)} CHARACTER SET {charset} COLLATE {collation}")
        except pymysql.err.OperationalError as error:
            raise OriginError(
                f"No scratch copy of {self._origin.masked} can be made",
                why=str(error.args[-1]),
                tip=f"GRANT ALL ON `edgelift\\_%`.* TO {self._place.user!r}, or name another "
                "server: databases.copies in edgelift.toml",
            ) from error

    @staticmethod
    def _copy_rows(origin: Any, target: Any, database: str, table: str, *, local: bool) -> None:
        names = [name for name, _, extra in _columns(origin, table) if "GENERATED" not in extra]
        listed = ", ".join(map(quote, names))
        if local:
            _run(
                target,
                f"INSERT INTO {quote(table)} ({listed}) SELECT {listed} FROM "
                f"{quote(database)}.{quote(table)}",
            )
            return
        marks = ", ".join(["%s"] * len(names))
        with origin.cursor(SSCursor) as rows, target.cursor() as writer:
            rows.execute(f"SELECT {listed} FROM {quote(table)}")
            while batch := rows.fetchmany(500):
                statement = f"INSERT INTO {quote(table)} ({listed}) VALUES ({marks})"
                writer.executemany(statement, batch)

    @contextlib.contextmanager
    def _manage(self) -> Iterator[Any]:
        with _connect(self._place) as db:
            yield db


def quote(name: str) -> str:
    """Return a name quoted for MySQL."""
    return f"`{name.replace('`', '``')}`"


def _at(url: ServerUrl, database: str) -> ServerUrl:
    return msgspec.structs.replace(url, database=database)


@contextlib.contextmanager
def _connect(url: ServerUrl) -> Iterator[Any]:
    try:
        db = pymysql.connect(
            host=url.host,
            port=url.port,
            user=url.user or None,
            password=url.password,
            database=url.database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=20,
            conv=_NUMBERS,
            init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        )
    except pymysql.err.OperationalError as error:
        raise OriginError(
            f"The database server at {url.address} cannot be used",
            why=str(error.args[-1]),
            tip="check that it runs, and the user and password in the URL",
        ) from error
    with db:
        yield db


def _run(db: Any, statement: str, values: object = None) -> list[tuple[Any, ...]]:
    with db.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall() or ())


def _list_objects(db: Any, kind: str) -> list[str]:
    return sorted(row[0] for row in _run(db, "SHOW FULL TABLES") if row[1] == kind)


def _columns(db: Any, table: str) -> list[tuple[str, str, str]]:
    found = _run(
        db,
        "SELECT column_name, if(column_type LIKE 'bigint%unsigned%', 'unsigned', data_type), "
        "extra FROM information_schema.columns WHERE table_schema "
        f"= DATABASE() AND table_name = {db.escape(table)} ORDER BY ordinal_position",
    )
    return [(str(name), str(kind).lower(), str(extra).upper()) for name, kind, extra in found]


def _key(db: Any, table: str) -> tuple[str, ...]:
    found = _run(db, f"SHOW KEYS FROM {quote(table)} WHERE Key_name = 'PRIMARY'")
    return tuple(row[4] for row in sorted(found, key=lambda row: int(row[3])))


def _read_rows(
    db: Any, table: str, kinds: dict[str, str], key: tuple[str, ...]
) -> Iterator[tuple[object, ...]]:
    listed = ", ".join(map(quote, kinds))
    order = ", ".join(map(quote, key or kinds))
    with db.cursor(SSCursor) as cursor:
        cursor.execute(f"SELECT {listed} FROM {quote(table)} ORDER BY {order}")
        for row in cursor:
            # Unsigned numbers beyond SQLite's integers stay exact as text.
            yield tuple(
                str(value) if isinstance(value, int) and value > _LARGEST else value
                for value in row
            )


def _copy_code(origin: Any, target: Any) -> None:
    """Copy routines, triggers and views, without their definers."""
    for kind in ("FUNCTION", "PROCEDURE"):
        for row in _run(origin, f"SHOW {kind} STATUS WHERE Db = DATABASE()"):
            text = _run(origin, f"SHOW CREATE {kind} {quote(row[1])}")[0][2]
            _run(target, _DEFINER.sub("", text))
    for row in _run(origin, "SHOW TRIGGERS"):
        text = _run(origin, f"SHOW CREATE TRIGGER {quote(row[0])}")[0][2]
        _run(target, _DEFINER.sub("", text))
    _copy_views(origin, target)


def _copy_views(origin: Any, target: Any) -> None:
    """Create views, in as many rounds as they rest on one another."""
    database = _run(origin, "SELECT DATABASE()")[0][0]
    waiting = {
        name: _DEFINER.sub("", _run(origin, f"SHOW CREATE VIEW {quote(name)}")[0][1]).replace(
            f"{quote(database)}.", ""
        )
        for name in _list_objects(origin, "VIEW")
    }
    while waiting:
        left: dict[str, str] = {}
        for name, text in waiting.items():
            try:
                _run(target, text)
            except pymysql.err.MySQLError:
                left[name] = text
        if len(left) == len(waiting):
            raise OriginError(
                f"The view {next(iter(left))} cannot be copied",
                why="it rests on something that a copy of its database does not have",
                tip="drop the view if it is broken at the origin too",
            )
        waiting = left
