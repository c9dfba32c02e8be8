"""Runs what calls Python on a copy of the tables it reads, in the interpreter's own SQLite.

The copy lives in memory for one statement, and is taken in the same transaction. It holds the
tables and views that the statement's words may mean, so that results, types and errors are those
of CPython's sqlite3: functions, aggregates, window functions and collations alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from edgelift.worker.sqlite3.callbacks import Callbacks
from edgelift.worker.sqlite3.errors import NotSupportedError
from edgelift.worker.sqlite3.execution import Outcome
from edgelift.worker.sqlite3.fitting import Fitted
from edgelift.worker.sqlite3.real import real
from edgelift.worker.sqlite3.rewrite import OWN_PREFIXES, flatten_rows, wrap_query
from edgelift.worker.sqlite3.statement import Statement, parse
from edgelift.worker.sqlite3.tokens import QUOTED, STRING, WORD, quote_name, unquote
from edgelift.worker.sqlite3.transport import JSON, RAW, Database
from edgelift.worker.sqlite3.values import Value

# The memory of a Worker is 128 MB (Workers limits page), of which a row of a few hundred bytes
# takes about one kilobyte twice: as JSON and in SQLite.
LARGEST_COPIED_ROWS = 20_000
_SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
_SCHEMA_TABLES = frozenset({"sqlite_master", "sqlite_schema"})
_MADE_BY_ITSELF = (*OWN_PREFIXES, "sqlite_")
_READABLE = frozenset({"table", "view"})
_ORDINARY, _GENERATED = 0, frozenset({2, 3})


def read_words(statement: Statement) -> set[str]:
    """Return all words of a statement that may be names, in lower case."""
    words = {
        unquote(token).lower()
        for token in statement.tokens
        if token.kind in {WORD, QUOTED} or (token.kind == STRING and len(token.text) < _LONG_NAME)
    }
    return words | statement.functions | statement.collations


_LONG_NAME = 130


def run_locally(
    database: Database, callbacks: Callbacks, statement: Statement, values: Sequence[Value]
) -> Outcome:
    """Run a query on a copy of its tables and return names and rows.

    Raises NotSupportedError, which names the function, where no copy can be made.
    """
    if real is None:
        raise _refuse(callbacks, statement, "this Python has no SQLite of its own")
    words = read_words(statement)
    with closing(real.connect(":memory:", isolation_level=None)) as copy:
        copy.execute("PRAGMA ignore_check_constraints=ON")
        if "from" in words:
            _copy_tables(database, callbacks, statement, copy, words)
        callbacks.register(copy, words)
        cursor = copy.execute(statement.sql, to_parameters(statement, values))
        rows = cursor.fetchall()
        names = [column[0] for column in cursor.description or ()]
        return Outcome(names, rows)


def to_parameters(statement: Statement, values: Sequence[Value]) -> Any:
    """Return the values as CPython takes them: by name where the statement has names."""
    named = [name for name in statement.names if name and name[0] != "?"]
    if not named:
        return list(values)[: len(statement.names)]
    pairs = zip(statement.names, values, strict=False)
    return {name[1:]: value for name, value in pairs if name}


def _copy_tables(
    database: Database, callbacks: Callbacks, statement: Statement, copy: Any, words: set[str]
) -> None:
    """Make the tables and views that `words` name, and add the words of their definitions.

    Who reads the schema finds all of it, with rows in the tables that are named besides.
    """
    rows = database.ask([(Fitted(_SCHEMA, []), RAW)]).results[0].rows
    rows = [row for row in rows if not row[1].startswith(_MADE_BY_ITSELF)]
    known = {name.lower(): (kind, name, sql) for kind, name, sql in rows if kind in _READABLE}
    wanted = _follow_views(known, words)
    callbacks.register(copy, words)
    everything = bool(words & _SCHEMA_TABLES)
    made = [row for row in rows if row[0] in _READABLE and (everything or row[1].lower() in wanted)]
    _define(callbacks, statement, copy, made)
    tables = [name for kind, name, _ in made if kind == "table" and name.lower() in wanted]
    _copy_rows(database, callbacks, statement, copy, tables)
    if everything:
        _define(callbacks, statement, copy, [row for row in rows if row[0] not in _READABLE])


def _define(
    callbacks: Callbacks, statement: Statement, copy: Any, made: Iterable[Sequence[Any]]
) -> None:
    for kind, name, sql in made:
        try:
            copy.execute(sql)
        except real.Error as error:  # type: ignore[union-attr]
            reason = f"{kind} {name} cannot be copied: {error}"
            raise _refuse(callbacks, statement, reason) from error


def _follow_views(known: dict[str, tuple[str, str, str]], words: set[str]) -> set[str]:
    """Return the keys of what the words mean, what views speak of included."""
    wanted: set[str] = set()
    pending = [word for word in words if word in known]
    while pending:
        key = pending.pop()
        if key in wanted:
            continue
        wanted.add(key)
        more = read_words(parse(known[key][2]))
        words |= more
        if known[key][0] == "view":
            pending += [word for word in more if word in known]
    return wanted


def _copy_rows(
    database: Database,
    callbacks: Callbacks,
    statement: Statement,
    copy: Any,
    tables: Iterable[str],
) -> None:
    plans = [(name, *read_layout(copy, name)) for name in tables]
    if not plans:
        return
    asked = []
    for name, columns, has_rowid in plans:
        listed = ", ".join([*(["rowid"] if has_rowid else []), *map(quote_name, columns)])
        query = f"SELECT {listed} FROM {quote_name(name)} LIMIT {LARGEST_COPIED_ROWS + 1}"
        asked.append((Fitted(wrap_query(query, len(columns) + has_rowid), []), JSON))
    results = database.ask(asked).results
    for (name, columns, has_rowid), result in zip(plans, results, strict=True):
        if len(result.rows) > LARGEST_COPIED_ROWS:
            reason = f"{name} has more than {LARGEST_COPIED_ROWS:,} rows to bring to it"
            raise _refuse(callbacks, statement, reason)
        count = len(columns) + has_rowid
        listed = ", ".join([*(["rowid"] if has_rowid else []), *map(quote_name, columns)])
        marks = ", ".join("?" * count)
        copy.executemany(
            f"INSERT INTO {quote_name(name)}({listed}) VALUES({marks})",
            flatten_rows(result.rows, count),
        )


def read_layout(copy: Any, table: str) -> tuple[list[str], bool]:
    """Return the columns a row is made of, and whether the table has row ids to keep."""
    found = copy.execute(f"PRAGMA table_xinfo({quote_name(table)})").fetchall()
    columns = [row[1] for row in found if row[6] == _ORDINARY]
    names = {row[1].lower() for row in found}
    listed = copy.execute(f"PRAGMA table_list({quote_name(table)})").fetchall()
    without_rowid = any(row[4] for row in listed)
    return columns, not without_rowid and "rowid" not in names


def _refuse(callbacks: Callbacks, statement: Statement, reason: str) -> NotSupportedError:
    names = ", ".join(callbacks.names_in(statement)) or "a function"
    return NotSupportedError(f"{names} is registered in Python, which D1 cannot call: {reason}")
