"""PRAGMA foreign_keys=OFF where foreign keys are always checked: the checks wait for the commit.

Schema editors (Django's, Alembic's batch mode) rebuild a table that others refer to as SQLite's
page on ALTER TABLE tells: a new table is filled, the old one dropped, the new one renamed. The drop
counts each row of a child as a violation, and the renaming does not take them back; an INSERT into
the parent does (fkey.c, sqlite3FkCheck). So the table is not renamed but made anew under its name,
from rows that were put aside.
"""

from __future__ import annotations

import itertools

from edgelift.worker.sqlite3.fitting import Fitted
from edgelift.worker.sqlite3.rewrite import apply_edits
from edgelift.worker.sqlite3.statement import Statement, parse
from edgelift.worker.sqlite3.tokens import QUOTED, STRING, WORD, quote_name, unquote
from edgelift.worker.sqlite3.transport import RAW, RUN, Database

DEFER = "PRAGMA defer_foreign_keys=ON"
_ASIDE = "_edgelift_aside"
_DEFINITIONS = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_ORDINARY = 0
_RENAMES = 6  # ALTER TABLE a RENAME TO b


def defer_checks(database: Database) -> None:
    """Have the open transaction check foreign keys at its end."""
    database.ask([(Fitted(DEFER, []), RUN)], writes=True)


def defers_checks(statement: Statement) -> bool:
    """Return whether a statement is the PRAGMA that lets foreign keys wait for the commit."""
    words = [token.text.lower() for token in statement.tokens[:2]]
    return words == ["pragma", "defer_foreign_keys"]


def run_rename(database: Database, statement: Statement) -> bool:
    """Rename a table that others refer to by its new name; False when this is no such statement."""
    tokens = statement.tokens
    words = [token.upper for token in tokens]
    if len(tokens) != _RENAMES or words[:2] != ["ALTER", "TABLE"] or words[3:5] != ["RENAME", "TO"]:
        return False
    old, new = unquote(tokens[2]), unquote(tokens[5])
    rows = database.ask([(Fitted(_DEFINITIONS, []), RAW)]).results[0].rows
    if not any(_refers(parse(sql), new) for (_, _, _, sql) in rows if sql):
        return False
    own = [(kind, name, sql) for kind, name, table, sql in rows if table.lower() == old.lower()]
    if len(own) != 1:
        return False  # with indexes or triggers of its own, or none at all
    pragma = f"PRAGMA table_xinfo({quote_name(old)})"
    found = database.ask([(Fitted(pragma, []), RAW)]).results[0].rows
    columns = ", ".join(quote_name(row[1]) for row in found if row[6] == _ORDINARY)
    steps = (
        f"CREATE TABLE {_ASIDE} AS SELECT {columns} FROM {quote_name(old)}",
        f"DROP TABLE {quote_name(old)}",
        _rename(parse(own[0][2]), old, new),
        f"INSERT INTO {quote_name(new)}({columns}) SELECT {columns} FROM {_ASIDE}",
        f"DROP TABLE {_ASIDE}",
    )
    database.ask([(Fitted(sql, []), RUN) for sql in steps], writes=True)
    database.forget()
    return True


def _rename(definition: Statement, old: str, new: str) -> str:
    """Return a table's definition under its new name, with its references to itself."""
    edits = [
        (token.start, token.end, quote_name(new))
        for before, token in itertools.pairwise(definition.tokens)
        if before.upper in {"TABLE", "REFERENCES"} and unquote(token).lower() == old.lower()
    ]
    return apply_edits(definition.sql, edits)


def _refers(definition: Statement, table: str) -> bool:
    return any(
        token.upper == "REFERENCES"
        and following.kind in {WORD, QUOTED, STRING}
        and unquote(following).lower() == table.lower()
        for token, following in itertools.pairwise(definition.tokens)
    )
