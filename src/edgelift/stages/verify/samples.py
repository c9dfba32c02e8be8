"""Real values from the database snapshot for parameters of requests, chosen without chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgelift.model.catalogue import Catalogue, Table
from edgelift.sources.sqlite import SqliteSource, quote_identifier

Value = str | int | float
_KEY_NAMES = frozenset({"id", "pk", "key", "uuid", "ids", "pks", "keys"})


def to_singular(name: str) -> str:
    """Return a name in the singular, by English spelling: `categories` -> `category`."""
    lower = name.lower()
    for end, replacement in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ss", "ss"), ("s", "")):
        if lower.endswith(end) and len(lower) > len(end):
            return lower[: -len(end)] + replacement
    return lower


@dataclass(frozen=True)
class Source:
    """A snapshot file with its catalogue."""

    file: Path
    catalogue: Catalogue


@dataclass
class Samples:
    """Finds columns by the names that requests use, and reads telling values of them, once each."""

    sources: Sequence[Source]
    _read: dict[tuple[Path, str, str], list[Value]] = field(default_factory=dict)

    def find(self, name: str, hints: Iterable[str] = ()) -> list[Value]:
        """Return values for a parameter: first, middle, last, one beyond ASCII, the longest.

        `hints` are words near the parameter (path segments, the endpoint): `id` after `/tokens/` is
        the key of table `tokens`. Empty when no column fits.
        """
        found = self.find_columns(name, hints)
        if not found:
            return []
        source, table, column = found[0]
        key = (source.file, table.name, column)
        if key not in self._read:
            self._read[key] = _read_telling(source.file, table.name, column)
        return self._read[key]

    def find_columns(self, name: str, hints: Iterable[str] = ()) -> list[tuple[Source, Table, str]]:
        """Return the columns that a parameter may stand for, the likeliest first."""
        words = {to_singular(hint) for hint in hints}
        rated = [
            (-score, position, source, table, column)
            for position, (source, table) in enumerate(self._tables())
            for score, column in _rate(table, name.lower(), words)
        ]
        return [entry[2:] for entry in sorted(rated, key=lambda entry: entry[:2])]

    def find_table(self, hints: Iterable[str]) -> Table | None:
        """Return the first table whose name is among the hints."""
        words = {to_singular(hint) for hint in hints}
        return next((t for _, t in self._tables() if to_singular(t.name) in words), None)

    def _tables(self) -> list[tuple[Source, Table]]:
        return [(source, table) for source in self.sources for table in source.catalogue.tables]


def _rate(table: Table, name: str, words: set[str]) -> list[tuple[int, str]]:
    """Return how well each column of a table fits a parameter's name, best first; 0 is left out."""
    singular = to_singular(table.name)
    near = 2 if singular in words else 0
    key = table.primary_key[0] if table.primary_key else None
    rated = []
    for column in table.columns:
        lower = column.name.lower()
        plain = to_singular(name)
        if f"{singular}_{lower}" in {name, plain} or f"{singular}{lower}" in {name, plain}:
            rated.append((6, column.name))
        elif lower in {name, plain} and (lower not in _KEY_NAMES or near):
            rated.append((3 + near, column.name))
    if key is not None and plain_is_key(name, singular, near):
        rated.append((5, key))
    return sorted(rated, key=lambda entry: -entry[0])


def plain_is_key(name: str, singular: str, near: int) -> bool:
    """Return whether a name means a table's key: the table itself, or `id` close to its name."""
    return to_singular(name) == singular or (name in _KEY_NAMES and near > 0)


def _read_telling(file: Path, table: str, column: str) -> list[Value]:
    name, place = quote_identifier(column), quote_identifier(table)
    solid = f"FROM {place} WHERE {name} IS NOT NULL AND typeof({name}) <> 'blob'"
    queries = (
        f"SELECT {name} {solid} ORDER BY {name} LIMIT 1",
        f"SELECT {name} {solid} ORDER BY {name} LIMIT 1 OFFSET (SELECT count(*)/2 {solid})",
        f"SELECT {name} {solid} ORDER BY {name} DESC LIMIT 1",
        f"SELECT {name} {solid} AND {name} GLOB '*[^ -~]*' ORDER BY {name} LIMIT 1",
        f"SELECT {name} {solid} ORDER BY length({name}) DESC, {name} LIMIT 1",
    )
    with SqliteSource(file).open() as db:
        rows = [db.execute(query).fetchone() for query in queries]
    values = [row[0] for row in rows if row is not None and row[0] != ""]
    return list(dict.fromkeys(values))
