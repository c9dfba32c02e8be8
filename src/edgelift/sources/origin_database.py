"""What every server database must offer to be moved, and the list of those that do.

An adapter reads; it decides nothing about the target but the way of each column (`map_table`). The
schema stage judges what it says, the data stage streams what it plans. SQLite files keep their own
path (`sources/sqlite.py`), since there the target's engine is the origin's.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol

from edgelift.errors import UsageError
from edgelift.model.activity import Activity
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import RowSpec

ENTRY_POINTS = "edgelift.origins"  # third parties register `scheme = "module:opener"` here


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What an adapter can do, so that stages never ask for its name.

    `product` is for people, `dialect` sqlglot's name of its SQL, `wire` that of RowSpec.
    `default_schemas` hold the tables that keep their bare names. `joins` says whether a second
    connection or process may read the same snapshot, with `is_local` on this machine only;
    `follows` whether changes can be streamed from a snapshot's position; `defers_keys` whether
    foreign keys can be checked at commit.
    `trusts_rules` says whether every valid constraint holds for all rows (MySQL's can be switched
    off), `pads_texts` that collations ignore spaces at the end; `coarse` are the SQL of a value as
    SQLite compares it in another form, `real`, `nocase`, `binary` and, counted since 1970, `unix`
    and `unix_ms`, with `{}` for it. `coarser_collations` matches the names of collations that take
    as equal whatever NOCASE does, so that nobody has to look.
    `hash_bytes` and `hash_text` are the SQL of the SHA-256 of bytes and of a text's UTF-8, in
    hexadecimal, with `{}` for the value; empty when the server has none. `as_text` is the SQL of a
    value as exact text, which differs where the values do.
    """

    product: str
    dialect: str
    wire: str
    identifier_quote: str = '"'
    default_schemas: tuple[str, ...] = ()
    joins: bool = False
    is_local: bool = False
    follows: bool = False
    defers_keys: bool = False
    trusts_rules: bool = True
    pads_texts: bool = False
    coarse: Mapping[str, str] = field(default_factory=dict)
    coarser_collations: str = ""
    hash_bytes: str = ""
    hash_text: str = ""
    as_text: str = "CAST({} AS TEXT)"

    def quote(self, name: str) -> str:
        """Return a name quoted for the origin's SQL."""
        mark = self.identifier_quote
        return mark + name.replace(mark, mark * 2) + mark


@dataclass(frozen=True, kw_only=True)
class Cast:
    """One `[[schema.cast]]`: how a column, or every column of a type, shall travel instead.

    `to` is text, integer, real, numeric, scaled, blob, hex, json, null (what has no counterpart
    becomes NULL), unix or unix_ms; `scale` are the decimal places of `scaled`. `table` is the
    origin's `schema.table` or `table`, `column` its column, `type` a type's bare name; empty
    matches all.
    """

    to: str
    table: str = ""
    column: str = ""
    type: str = ""
    scale: int = 0

    def matches(self, table: OriginTable, column: str, type_name: str) -> bool:
        """Return whether the cast is for that column."""
        return (
            (not self.table or self.table in {table.name, f"{table.schema}.{table.name}"})
            and (not self.column or self.column == column)
            and (not self.type or self.type.lower() == type_name.lower())
        )


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the user and the schema stage decided before types are mapped.

    `tables` maps (schema, table) to the target's table, `columns` (schema, table, column) to the
    target's column where that differs; columns in `excluded` stay behind. `timestamps` is
    `sqlalchemy` (always six digits), `django` (none when zero), `unix` or `unix_ms`; `uuid` is
    `text` (36 characters), `hex` (32) or `blob`.
    """

    casts: tuple[Cast, ...] = ()
    tables: Mapping[tuple[str, str], str] = field(default_factory=dict)
    columns: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    excluded: frozenset[tuple[str, str, str]] = frozenset()
    timestamps: str = "sqlalchemy"
    uuid: str = "text"

    def name_table(self, table: OriginTable) -> str:
        """Return the target's name of a table."""
        return self.tables.get((table.schema, table.name), table.name)

    def name_column(self, table: OriginTable, column: str) -> str:
        """Return the target's name of a column."""
        return self.columns.get((table.schema, table.name, column), column)

    def keeps(self, table: OriginTable, column: str) -> bool:
        """Return whether a column moves at all."""
        return (table.schema, table.name, column) not in self.excluded

    def find_cast(self, table: OriginTable, column: str, type_name: str) -> Cast | None:
        """Return the cast for a column: one that names the column before one for a whole type."""
        found = [cast for cast in self.casts if cast.matches(table, column, type_name)]
        return min(found, key=lambda c: (not c.column, not c.table), default=None)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A part of a table: `where` in the origin's dialect (empty: all rows), rows estimated.

    The chunks of a table cover all of it at any later moment too: the first is open below and the
    last above. When the key is one integer column, `low` <= key < `high` says the same as numbers,
    None being open.
    """

    index: int
    where: str = ""
    estimate: int = 0
    low: int | None = None
    high: int | None = None


LARGE_ROW_BYTES = 100_000  # rows above it are told column by column


@dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """What the data of one column is like; counts are rows.

    `max_bytes` is the largest value as it will lie in SQLite (UTF-8 text, blob), or 0 where no row
    of the table has LARGE_ROW_BYTES, `digits` the most
    significant digits of a decimal; `outside_dates` are years beyond 1..9999, `infinities` are
    infinite numbers, dates and timestamps, `months` intervals with a part in months, `nul_texts`
    texts that hold a NUL, `non_ascii` texts that hold more than ASCII, `unmappable` those that the
    server cannot turn into UTF-8 and back, `fractions` moments with parts of a second that a count
    since 1970 drops. `refused` says why the form refuses one of the values, empty for none or when
    nobody tried.
    """

    max_bytes: int = 0
    min_int: int | None = None
    max_int: int | None = None
    digits: int = 0
    nans: int = 0
    infinities: int = 0
    zero_dates: int = 0
    outside_dates: int = 0
    months: int = 0
    nul_texts: int = 0
    non_ascii: int = 0
    unmappable: int = 0
    fractions: int = 0
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """What the data of one table is like; `columns` by the target's column name.

    `row_bytes` is the largest row, `total_bytes` all rows, both as values will lie in SQLite.
    """

    rows: int
    row_bytes: int = 0
    total_bytes: int = 0
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)


class RowReader(Protocol):
    """What reads the rows of one consistent moment; its `position` is that moment's."""

    position: str

    def plan_chunks(self, spec: RowSpec, rows_per_chunk: int) -> list[Chunk]:
        """Cut a table into chunks by its key, by physical place, or not at all."""

    def stream_chunk(self, spec: RowSpec, chunk: Chunk) -> Iterator[bytes]:
        """Yield the raw bytes of `spec.wire` for the fields' `read` expressions of a chunk.

        Rows come in the order of the key where there is one. Memory is bounded.
        """


class SnapshotReader(RowReader, Protocol):
    """One consistent moment of the origin.

    `position` is where following the changes starts (empty when that is impossible), `ticket` what
    `OriginDatabase.join_snapshot` takes (empty when none can join). All methods raise OriginError,
    and OriginUnavailable when the connection is cut.
    """

    ticket: str

    def read_facts(self, spec: RowSpec) -> TableFacts:
        """Return what limits and losses are judged on, before the first byte moves."""

    def read_groups(self, spec: RowSpec, group: str) -> dict[str | None, tuple[int, int]]:
        """Return rows and bytes, as they will lie in SQLite, by the value of an SQL expression.

        `group` is text in the origin's dialect; columns of the table are named `table.column`.
        """

    def read_lines(self, spec: RowSpec, query: str) -> list[tuple[str | None, ...]]:
        """Return the rows of a small query about a table, its values as text."""

    def close(self) -> None:
        """Give the snapshot and its connections up."""


class OriginDatabase(Protocol):
    """An open server database; `open_origin` makes one."""

    capabilities: Capabilities

    def read_schema(self) -> OriginSchema:
        """Return the whole catalogue."""

    def map_table(self, table: OriginTable, choices: Choices) -> RowSpec:
        """Return the way of every column, generated ones too, in the table's order.

        A column that cannot travel has the op `refused`, the rule's id as argument and the reason
        as loss.
        """

    def open_snapshot(self) -> SnapshotReader:
        """Take a snapshot; its `position` is taken first."""

    def join_snapshot(self, ticket: str) -> SnapshotReader:
        """Read the snapshot of another connection or process."""

    def read_activity(self) -> Activity:
        """Return what the server counts of the writing in its tables, without reading rows."""


Opener = Callable[[str], contextlib.AbstractContextManager[OriginDatabase]]

# Scheme -> where its opener is. `+driver` behind a scheme (SQLAlchemy's way) does not count.
ADAPTERS: Mapping[str, str] = {
    "postgres": "edgelift.sources.postgres:open_postgres",
    "postgresql": "edgelift.sources.postgres:open_postgres",
    "mysql": "edgelift.sources.mysql:open_mysql",
    "mariadb": "edgelift.sources.mysql:open_mysql",
}

# What stages themselves open, never a project's URL: the snapshot of a SQLite file.
OWN_ADAPTERS: Mapping[str, str] = {"edgelift-sqlite": "edgelift.sources.sqlite_origin:open_sqlite"}


def read_scheme(url: str) -> str:
    """Return the scheme of a URL in lower case without its driver; empty for a bare path."""
    scheme, separator, _ = url.partition("://")
    return scheme.split("+", 1)[0].lower() if separator else ""


def is_server_url(url: str) -> bool:
    """Return whether a URL names a database that an adapter opens."""
    scheme = read_scheme(url)
    return scheme in ADAPTERS or bool(_find_entry_point(scheme))


def _find_entry_point(scheme: str) -> str:
    if not scheme:
        return ""
    found = entry_points(group=ENTRY_POINTS, name=scheme)
    return next((point.value for point in found), "")


def open_origin(url: str) -> contextlib.AbstractContextManager[OriginDatabase]:
    """Return a context manager that connects to the database of a URL.

    Raises UsageError for a scheme that no adapter has; entering it raises OriginError when the
    server refuses, OriginUnavailable when it does not answer.
    """
    scheme = read_scheme(url)
    place = ADAPTERS.get(scheme) or OWN_ADAPTERS.get(scheme) or _find_entry_point(scheme)
    if not place:
        raise UsageError(
            f"No adapter opens {mask_url(url)}",
            why=f"known are {', '.join(sorted(ADAPTERS))}, and paths of SQLite files",
            tip="write the url like postgresql://user@host/database",
        )
    module, _, name = place.partition(":")
    opener: Opener = getattr(importlib.import_module(module), name)
    return opener(url)


def mask_url(url: str) -> str:
    """Return a URL that may be shown: without its password and without its parameters' values.

    A password that was not percent-encoded may hold any character, so all up to the last @ counts.
    """
    found = _URL.match(url)
    if found is None:
        return url
    scheme, user, password, rest = found.group("scheme", "user", "password", "rest")
    path, question, query = rest.partition("?")
    shown = (
        (user or "") + (":***" if password is not None else "") + "@" if user is not None else ""
    )
    names = "&".join(f"{part.split('=', 1)[0]}=…" for part in query.split("&") if part)
    return f"{scheme}://{shown}{path}{question}{names}"


_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^:@]*)(?::(?P<password>.*))?@)?(?P<rest>.*)",
    re.DOTALL,
)
