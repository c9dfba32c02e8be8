"""Scratch copies of a PostgreSQL database: by TEMPLATE on its own server, else by pg_dump."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors, sql

from edgelift.errors import OriginError
from edgelift.model.server_url import ServerUrl
from edgelift.sources.server_copies.mirror import MirrorTable, fill_table, write_mirror

_MAINTENANCE = ("postgres", "template1")
_DUMP_TIMEOUT_S = 3600
_SETTINGS = (
    "SET TIME ZONE 'UTC'; SET datestyle TO 'ISO, YMD'; SET intervalstyle TO 'postgres'; "
    "SET extra_float_digits TO 3; SET bytea_output TO 'hex'"
)
_KINDS = {
    "smallint": "INTEGER", "integer": "INTEGER", "bigint": "INTEGER",
    "real": "REAL", "double precision": "REAL", "bytea": "BLOB",
}  # fmt: skip
_TABLES = """
SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_KEY = """
SELECT a.attname FROM pg_index i JOIN unnest(i.indkey) WITH ORDINALITY k(attnum, place) ON true
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %s AND i.indisprimary ORDER BY k.place"""


class PostgresCopies:
    """See ServerCopies."""

    def __init__(self, origin: ServerUrl, place: ServerUrl) -> None:
        self._origin = origin
        self._place = place

    def measure(self) -> int:
        """Return the size of the origin's database with its indexes."""
        with _connect(self._origin) as db:
            row = db.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0

    def make_template(self, name: str) -> None:
        """Copy the origin's database as it is now; raises OriginError."""
        with self._manage() as db:
            if self._place is self._origin:
                with contextlib.suppress(errors.ObjectInUse):
                    self._create(db, name, self._origin.database)
                    return
            self._create(db, name, "template0")
        _dump_and_restore(self._origin, self._place, name)

    def make_copy(self, template: str, name: str) -> ServerUrl:
        """Copy a template, to which nobody is connected."""
        with self._manage() as db:
            self._drop(db, name)
            self._create(db, name, template)
        return _at(self._place, name)

    def drop(self, name: str) -> None:
        """Drop a copy and end its sessions."""
        with self._manage() as db:
            self._drop(db, name)

    def list_names(self, prefix: str) -> list[str]:
        """Return the databases that begin with a prefix."""
        with self._manage() as db:
            found = db.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (prefix,)
            )
            return [row[0] for row in found]

    def export(self, name: str, file: Path) -> None:
        """Write all tables of a copy into a SQLite file."""
        with _connect(_at(self._place, name)) as db, write_mirror(file) as mirror:
            db.execute(_SETTINGS)
            for oid, schema, table in db.execute(_TABLES).fetchall():
                columns = db.execute(_COLUMNS, (oid,)).fetchall()
                key = tuple(row[0] for row in db.execute(_KEY, (oid,)).fetchall())
                shown = table if schema == "public" else f"{schema}.{table}"
                kinds = {column: _KINDS.get(kind, "TEXT") for column, kind in columns}
                rows = _read_rows(db, schema, table, kinds, key)
                fill_table(mirror, MirrorTable(shown, kinds, key), rows)

    def _create(self, db: psycopg.Connection[Any], name: str, template: str) -> None:
        encoding = sql.SQL(" ENCODING 'UTF8'" if template == "template0" else "")
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}{}").format(
            sql.Identifier(name), sql.Identifier(template), encoding
        )
        try:
            db.execute(statement)
        except errors.InsufficientPrivilege as error:
            raise OriginError(
                f"No scratch copy of {self._origin.masked} can be made",
                why=str(error).strip(),
                tip="give the user CREATEDB on the server, or name another server: "
                "databases.copies in edgelift.toml",
            ) from error

    def _drop(self, db: psycopg.Connection[Any], name: str) -> None:
        db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def _manage(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect to a database of the server that is not the origin's own."""
        last: OriginError | None = None
        for database in _MAINTENANCE:
            try:
                db = _connect(_at(self._place, database), autocommit=True)
            except OriginError as error:
                last = error
                continue
            with db:
                yield db
            return
        assert last is not None
        raise last


def _at(url: ServerUrl, database: str) -> ServerUrl:
    import msgspec

    return msgspec.structs.replace(url, database=database)


def _connect(url: ServerUrl, *, autocommit: bool = False) -> psycopg.Connection[Any]:
    options: dict[str, Any] = {n: v for n, v in url.options if n.startswith("ssl")}
    try:
        return psycopg.connect(
            host=url.host,
            port=url.port,
            user=url.user,
            password=url.password,
            dbname=url.database,
            autocommit=autocommit,
            connect_timeout=20,
            **options,
        )
    except psycopg.OperationalError as error:
        raise OriginError(
            f"The database server at {url.address} cannot be used",
            why=" ".join(str(error).split()),
            tip="check that it runs, and the user and password in the URL",
        ) from error


def _read_rows(
    db: psycopg.Connection[Any],
    schema: str,
    table: str,
    kinds: dict[str, str],
    key: tuple[str, ...],
) -> Iterator[tuple[object, ...]]:
    shown = [
        sql.Identifier(name) if kind != "TEXT" else sql.SQL("{}::text").format(sql.Identifier(name))
        for name, kind in kinds.items()
    ]
    form = sql.SQL("{}" if key else "{}::text")
    order = [form.format(sql.Identifier(name)) for name in key or kinds]
    statement = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
        sql.SQL(", ").join(shown), sql.Identifier(schema, table), sql.SQL(", ").join(order)
    )
    if not kinds:
        return
    with db.cursor(name="edgelift_mirror") as cursor:
        cursor.execute(statement)
        yield from cursor


def _dump_and_restore(origin: ServerUrl, place: ServerUrl, name: str) -> None:
    programs = {program: _find_program(program) for program in ("pg_dump", "pg_restore")}
    with tempfile.TemporaryDirectory(prefix="edgelift-dump-") as folder:
        dump = Path(folder) / "dump"
        plain = ["--no-owner", "--no-acl"]
        _run(
            [programs["pg_dump"], "--format=custom", *plain, f"--file={dump}", *_where(origin)],
            origin,
        )
        target = _where(_at(place, name))
        _run([programs["pg_restore"], *plain, "--exit-on-error", *target, str(dump)], place)


def _where(url: ServerUrl) -> list[str]:
    return [f"--host={url.host}", f"--port={url.port}", f"--username={url.user}",
            f"--dbname={url.database}"]  # fmt: skip


def _run(command: list[str], url: ServerUrl) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, "PGPASSWORD": url.password},
        capture_output=True,
        text=True,
        check=False,
        timeout=_DUMP_TIMEOUT_S,
    )
    if done.returncode:
        raise OriginError(
            f"No scratch copy of {url.masked} can be made",
            why=" ".join(done.stderr.split())[:500],
            tip="the user must be able to read all tables and to create a database",
        )


def _find_program(name: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not installed:
        raise OriginError(
            "No scratch copy of the database can be made",
            why=f"others are connected to it, and there is no program {name} to copy it with",
            tip="install PostgreSQL's client programs, or stop what is connected to it",
        )
    return str(installed[-1])
