"""What an expression may refer to while it is translated: names, kinds of columns, styles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


Place = tuple[str, str]


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
    tables: Mapping[Place, str] = field(default_factory=dict)
    default_schemas: tuple[str, ...] = ()
    relations: Mapping[Place, Scope] = field(default_factory=dict)
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
        place = _find_place(self.relations, self.default_schemas, schema, name)
        return self.relations[place] if place else None

    def find_table(self, schema: str, name: str) -> str | None:
        """Return the target's table for a name as a query writes it, or None."""
        place = _find_place(self.tables, self.default_schemas, schema, name)
        return self.tables[place] if place else None


def _find_place(
    known: Iterable[Place], defaults: Sequence[str], schema: str, name: str
) -> Place | None:
    """Return what a written name means; without a schema it is in a default one or the only one.

    Code of a database finds its tables along a path of the app's session; where one schema alone
    has such a table, no path leads to another.
    """
    if schema:
        return next((place for place in known if place == (schema, name)), None)
    named = [place for place in known if place[1] == name]
    near = [place for of in defaults for place in named if place[0] == of]
    return near[0] if near else named[0] if len(named) == 1 else None
