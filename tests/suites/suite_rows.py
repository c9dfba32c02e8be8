"""Cleans up after SQLAlchemy's tests, whose own clean-up needs what is not there.

They delete the database's file after a class of tests: its tables are dropped. They roll back after
a test: on D1 the rows are put back. What a test itself rolls back stays lost on D1.
"""

import contextlib

from sqlite_transport import driver

ROUNDS = 6  # tables that refer to each other are emptied and filled in as many
TABLES = """SELECT type, name, sql FROM sqlite_master
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"""


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def open_beside(path):
    """Open a connection beside those of the tests."""
    return contextlib.closing(driver.connect(path, isolation_level=None))


def drop_all(path):
    """Drop all tables and views."""
    with open_beside(path) as connection:
        made = connection.execute(TABLES).fetchall()
        drops = [
            f"DROP {kind} {quote(name)}" for kind, name, _ in made if kind in ("table", "view")
        ]
        repeat(connection, [(sql, [()]) for sql in reversed(drops)])


class Rows:
    """The tables of a database and their rows at one moment."""

    def __init__(self, path):
        self.path = path
        with open_beside(path) as connection:
            self.made = connection.execute(TABLES).fetchall()
            self.rows = {
                name: connection.execute(f"SELECT * FROM {quote(name)}").fetchall()
                for kind, name, _ in self.made
                if kind == "table"
            }

    def put_back(self):
        with open_beside(self.path) as connection:
            now = connection.execute(TABLES).fetchall()
            known = set(self.made)
            drops = [
                f"DROP {kind} {quote(name)}"
                for kind, name, sql in now
                if (kind, name, sql) not in known
            ]
            tables = [name for kind, name, _ in now if kind == "table" and name in self.rows]
            repeat(connection, [(f"DELETE FROM {quote(name)}", [()]) for name in tables])
            repeat(connection, [(sql, [()]) for sql in reversed(drops)])
            present = {(kind, name) for kind, name, _ in connection.execute(TABLES)}
            repeat(
                connection,
                [(sql, [()]) for kind, name, sql in self.made if (kind, name) not in present],
            )
            repeat(
                connection,
                [
                    (f"INSERT INTO {quote(name)} VALUES ({', '.join('?' * len(rows[0]))})", rows)
                    for name, rows in self.rows.items()
                    if rows
                ],
            )


def repeat(connection, statements):
    """Run statements again and again until none is refused, for what it refers to above all."""
    for _ in range(ROUNDS):
        refused = []
        for sql, values in statements:
            try:
                for row in values:
                    connection.execute(sql, row)
            except driver.Error:
                refused.append((sql, values))
        statements = refused


class Cleaning:
    """Makes rollbacks of a clean-up good; `on` says that one is under way."""

    on = False


def note_rows(connection):
    """Keep what a rollback of this connection would bring back: SQLAlchemy's event `begin`."""
    own = connection.connection.dbapi_connection
    own = getattr(own, "_connection", own)
    if hasattr(own, "rows_before"):
        own.rows_before = Rows(own.path)


def drop_at_the_end(engine):
    """Drop what a class of tests has made: SQLAlchemy's event `engine_disposed`."""
    from sqlalchemy.testing import config

    if engine is config.db and str(engine.url.database).startswith("/suite/"):
        drop_all(engine.url.database)


def install(kind, *, rolls_back):
    """Listen to SQLAlchemy; without rollbacks give the plugin's class of connections one."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "engine_disposed", drop_at_the_end)
    if rolls_back:
        return
    lost_rollback = kind.rollback

    def rollback(self):
        try:
            lost_rollback(self)
        except driver.LostRollbackError:
            if not Cleaning.on or self.rows_before is None:
                raise
            self.rows_before.put_back()

    kind.rows_before = None
    kind.rollback = rollback
    event.listen(Engine, "begin", note_rows)
