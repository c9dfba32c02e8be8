"""What an expression may refer to while it is translated: names, kinds of columns, styles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Where `now` is written as the rows are: text with six digits, or a number.
NOW = {
    "sqlalchemy": "STRFTIME('%Y-%m-%d %H:%M:%f000', 'now')",
    "django": "STRFTIME('%Y-%m-%d %H:%M:%f000', 'now')",
    "unix": "UNIXEPOCH()",
    "unix_ms": "CAST(UNIXEPOCH('subsec') * 1000 AS INTEGER)",
}
_DASHED = (
    "LOWER(HEX(RANDOMBLOB(4)) || '-' || HEX(RANDOMBLOB(2)) || '-4' || "
    "SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || SUBSTR('89AB', 1 + (ABS(RANDOM()) % 4), 1) || "
    "SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || HEX(RANDOMBLOB(6)))"
)
# A random UUID of version 4 (RFC 9562), made by the functions that D1 has.
NEW_UUID = {
    "text": _DASHED,
    "hex": _DASHED.replace(" || '-' || ", " || ").replace("'-4'", "'4'"),
}
NEW_UUID["blob"] = f"UNHEX({NEW_UUID['hex']})"


class UnconvertibleError(Exception):
    """An expression has no counterpart in SQLite; its text says why, in words for the user."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The surroundings of an expression.

    `dialect` is sqlglot's name. `columns` are the target's names by the origin's column, `kinds`
    what the column's values are at the target (text, integer, number, boolean, date, timestamp,
    time, blob, json, uuid), both empty in queries over several tables, where `tables` gives the
    target's table and `relations` the table's own scope by (schema, name). `opaque` are columns
    whose values got another meaning (a key made a UUID, an array made JSON). `timestamps` and
    `uuid` are the styles of the rows; `routines` the origin's own functions, perhaps named like
    one of SQLite's. `lasting` is set where SQLite takes only what always gives the same: checks,
    generated columns, indexes.
    """

    dialect: str
    columns: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[tuple[str, str], str] = field(default_factory=dict)
    default_schemas: tuple[str, ...] = ()
    relations: Mapping[tuple[str, str], Scope] = field(default_factory=dict)
    opaque: frozenset[str] = frozenset()
    timestamps: str = "sqlalchemy"
    uuid: str = "text"
    lasting: bool = False
    routines: frozenset[str] = frozenset()

    @property
    def is_case_sensitive(self) -> bool:
        """Return whether LIKE tells upper from lower case at the origin."""
        return self.dialect != "mysql"

    def find_relation(self, schema: str, name: str) -> Scope | None:
        """Return the scope of a table as a query writes it, or None (a view, a WITH)."""
        if schema:
            return self.relations.get((schema, name))
        places = [(of, name) for of in self.default_schemas]
        return next((self.relations[p] for p in places if p in self.relations), None)

    def find_table(self, schema: str, name: str) -> str | None:
        """Return the target's table for a name as a query writes it, or None."""
        if schema:
            return self.tables.get((schema, name))
        found = [
            target
            for (of, table), target in self.tables.items()
            if table == name and (not self.default_schemas or of in self.default_schemas)
        ]
        return found[0] if found else None
