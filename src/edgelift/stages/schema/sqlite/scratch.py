"""The origin's schema without rows, in which SQLite itself renames and drops.

`ALTER TABLE` rewrites every view, trigger, index, check and foreign key that names what is renamed,
by SQLite's own parser; what it cannot keep it names. So nothing here has to understand an
expression. Renaming a column and taking that back tells exactly which objects name it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import apsw

from edgelift.model.catalogue import Catalogue
from edgelift.sources.sqlite_catalogue import quote_identifier as quote
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_origin.connection import add_functions

PROBE = "_edgelift_probe"  # the name that a column has while it is looked for
_SPARE = "_edgelift_spare_"  # names in between, so that two may change places
_FAULT = re.compile(
    r"error in (?P<kind>index|view|trigger|table) (?P<name>.+?)"
    r"(?: after (?:rename|drop column))?: (?P<why>.*)",
    re.DOTALL,
)


class ImpossibleError(Exception):
    """SQLite cannot make a change; its text is SQLite's reason."""


@dataclass
class Scratch:
    """The schema under change; `aside` are statements that do not work at the origin, by name.

    `lost` are objects that a change left nothing to stand on, with SQLite's reason.
    """

    catalogue: Catalogue
    db: apsw.Connection = field(init=False)
    aside: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Create what can be created, and put aside what does not work anyway."""
        self.db = apsw.Connection(":memory:")
        self.db.execute("PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=OFF").fetchall()
        add_functions(self.db)
        for name, sql in _list_statements(self.catalogue):
            try:
                self.db.execute(sql).fetchall()
            except apsw.Error:
                self.aside[name] = sql
        for kind, name in self.find_broken():
            self.aside[name] = self.read_statements()[name]
            self.db.execute(f"DROP {kind} IF EXISTS {quote(name)}")

    def read_statements(self) -> dict[str, str]:
        """Return the statements by name, as they are now."""
        rows = self.db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        return {str(name): str(sql) for name, sql in rows}

    def read(self) -> Catalogue:
        """Return the catalogue as it is now."""
        found: Catalogue = read_catalogue(self.db)
        return found

    def find_broken(self) -> list[tuple[str, str]]:
        """Return the views and triggers that do not compile, as (kind, name)."""
        listed = self.db.execute(
            "SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('view', 'trigger') "
            "ORDER BY type DESC, rowid"
        ).fetchall()
        broken = []
        for kind, name, table in listed:
            works = self._shows(name) if kind == "view" else self._fires(str(name), str(table))
            if not works:
                broken.append((str(kind), str(name)))
        return broken

    def _shows(self, view: object) -> bool:
        return self._compiles(f"SELECT * FROM main.{quote(str(view))} LIMIT 0")

    def _fires(self, trigger: str, table: str) -> bool:
        """Return whether a trigger compiles, without the others on its table."""
        with self._taken_back():
            others = self.db.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE "
                "NOCASE AND name <> ?", (table, trigger),
            ).fetchall()  # fmt: skip
            for (name,) in others:
                self.db.execute(f"DROP TRIGGER {quote(str(name))}")
            columns = [
                quote(str(name))
                for name, hidden in self.db.execute(
                    "SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)
                )
                if not hidden
            ]
            place = f"main.{quote(table)}"
            same = ", ".join(f"{column} = {column}" for column in columns)
            tries = [f"INSERT INTO {place} DEFAULT VALUES", f"DELETE FROM {place}"]
            tries += [f"UPDATE {place} SET {same}"] if columns else []
            # On a view only the kinds of writing work that a trigger stands in for.
            return all(self._compiles(one, table) for one in tries)

    def _compiles(self, statement: str, view: str = "") -> bool:
        cursor = self.db.cursor()
        cursor.exec_trace = lambda *_given: False  # called when it is compiled, before it runs
        try:
            cursor.execute(statement, can_cache=False)
        except apsw.ExecTraceAbort:
            return True
        except apsw.Error as error:
            return bool(view) and f"cannot modify {view} because it is a view" in str(error)
        return True

    @contextlib.contextmanager
    def _taken_back(self) -> Iterator[None]:
        self.db.execute("SAVEPOINT edgelift")
        try:
            yield
        finally:
            self.db.execute("ROLLBACK TO edgelift; RELEASE edgelift").fetchall()

    def describe(self, query: str) -> list[tuple[str, str, str]]:
        """Return a query's columns: the name, and the table and column behind it, if it is one."""
        found: list[tuple[str, str, str]] = []

        def note(cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
            for name, _declared, _database, table, column in cursor.description_full:
                found.append((name, table or "", column or ""))
            return True

        cursor = self.db.cursor()
        cursor.exec_trace = note
        cursor.execute(query, can_cache=False).fetchall()  # one that was compiled before a change
        return found

    def find_uses(self, table: str, column: str) -> dict[str, str]:
        """Return the statements that name a column, with PROBE in its place; "" where unknown."""
        before = self.read_statements()
        lost = dict(self.lost)
        with self._taken_back():
            with contextlib.suppress(ImpossibleError):
                self._alter(
                    f"ALTER TABLE main.{quote(table)} RENAME COLUMN {quote(column)} TO {PROBE}"
                )
            after = self.read_statements()
        self.lost = lost
        return {name: after.get(name, "") for name, sql in before.items() if after.get(name) != sql}

    def exclude(self, names: Iterable[str]) -> None:
        """Remove whole objects; indexes and triggers go with their table."""
        rows = self.db.execute("SELECT name, type FROM sqlite_schema")
        kinds = {str(name): str(kind) for name, kind in rows}
        for name in names:
            self.aside.pop(name, None)
            if name in kinds:
                self.db.execute(f"DROP {kinds[name]} IF EXISTS main.{quote(name)}")
        self._lose_broken("names what stays behind")

    def _lose_broken(self, why: str) -> None:
        """Remove what no longer compiles, and what stands on that."""
        while broken := self.find_broken():
            for kind, name in broken:
                self.lost.setdefault(name, why)
                self.db.execute(f"DROP {kind} IF EXISTS main.{quote(name)}")

    def drop_column(self, table: str, column: str) -> None:
        """Remove a column; raises ImpossibleError when it is part of what the table itself is."""
        self._alter(f"ALTER TABLE main.{quote(table)} DROP COLUMN {quote(column)}")
        self._lose_broken(f"names {table}.{column}, which stays behind")

    def rename_columns(self, table: str, names: dict[str, str]) -> None:
        """Give columns of a table other names, which may be those of each other."""
        head = f"ALTER TABLE main.{quote(table)} RENAME COLUMN"
        spare = {old: f"{_SPARE}{number}" for number, old in enumerate(names)}
        for old, between in spare.items():
            self._alter(f"{head} {quote(old)} TO {between}")
        for old, between in spare.items():
            self._alter(f"{head} {between} TO {quote(names[old])}")

    def rename_tables(self, names: dict[str, str]) -> None:
        """Give tables other names, which may be those of each other."""
        spare = {old: f"{_SPARE}{number}" for number, old in enumerate(names)}
        for old, between in spare.items():
            self._alter(f"ALTER TABLE main.{quote(old)} RENAME TO {between}")
        for old, between in spare.items():
            self._alter(f"ALTER TABLE main.{between} RENAME TO {quote(names[old])}")

    def _alter(self, statement: str) -> None:
        """Run a change, without the objects that it cannot keep; raises ImpossibleError."""
        while True:
            try:
                self.db.execute(statement).fetchall()
            except apsw.Error as error:
                found = _FAULT.search(str(error))
                if found is None or found["kind"] == "table" or not self._has(found["name"]):
                    raise ImpossibleError(str(error)) from error
                self.lost[found["name"]] = found["why"]
                self.db.execute(f"DROP {found['kind']} main.{quote(found['name'])}")
            else:
                return

    def _has(self, name: str) -> bool:
        query = "SELECT 1 FROM sqlite_schema WHERE name = ?"
        return self.db.execute(query, (name,)).fetchone() is not None


def _list_statements(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    yield from ((table.name, table.sql) for table in catalogue.tables)
    yield from ((index.name, index.sql) for index in catalogue.indexes if index.sql)
    yield from ((found.name, found.sql) for found in (*catalogue.views, *catalogue.triggers))
