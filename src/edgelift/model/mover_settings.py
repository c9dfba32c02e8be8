"""The parts of edgelift.toml that say how a database is converted and moved: [schema] and [data].

`project.py` reads them; schema and data obey them. Names of tables are the origin's own, as
`table` or `schema.table`, exactly as the catalogue has them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Literal

import msgspec

from edgelift.model.shard_route import RouteSection

CastTarget = Literal[
    "text", "integer", "real", "numeric", "scaled", "blob", "hex", "json", "null", "unix",
    "unix_ms", "offload", "stored",
]  # fmt: skip
RewriteTarget = Literal["uuid5", "uuid7", "unix", "unix_ms"]
_RATE = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]+)?) ?(?P<unit>rows|kB|MB)/s")
_UNITS = {"kB": 1_000, "MB": 1_000_000}


class CastSection(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"to": "as"}
):
    """`[[schema.cast]]`: how one column, or every column of a type, travels instead."""

    to: CastTarget
    table: str = ""
    column: str = ""
    type: str = ""
    scale: int = 0
    database: str = ""

    def find_faults(self) -> Iterator[str]:
        """Yield what is wrong with it in itself."""
        if not (self.column or self.type):
            yield "schema.cast names neither a column nor a type"
        if self.column and not self.table:
            yield f"schema.cast of the column {self.column!r} does not name its table"
        if self.scale and self.to != "scaled":
            yield "schema.cast has a scale without as = 'scaled'"
        if not 0 <= self.scale <= 18:
            yield f"schema.cast has the scale {self.scale}; a 64-bit integer takes 0 to 18"


class RenameSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[schema.rename]]`: another name at the target for a table, or for a column of it."""

    table: str
    to: str
    column: str = ""
    database: str = ""

    def find_faults(self) -> Iterator[str]:
        """Yield what is wrong with it in itself."""
        if not self.to or not self.table:
            yield "schema.rename has an empty table or to"
        if self.to.lower().startswith(("sqlite_", "_cf_")):
            yield f"schema.rename to {self.to!r}: that prefix belongs to the engine"


class RewriteSection(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"to": "as"}
):
    """`[[schema.rewrite]]`: an integer key becomes a UUID everywhere, or a timestamp a number.

    `column` may be left out for the table's primary key. `namespace` is the UUID that keys are
    hashed under (may hold `${VARIABLE}`), `base_ms` the time of key 0 in a uuid7. `also` lists
    `table.column` that hold the same keys without a foreign key.
    """

    table: str
    to: RewriteTarget
    column: str = ""
    namespace: str = ""
    base_ms: int = 0
    also: tuple[str, ...] = ()
    database: str = ""

    def find_faults(self) -> Iterator[str]:
        """Yield what is wrong with it in itself."""
        place = f"schema.rewrite of {self.table}"
        if self.to.startswith("uuid"):
            if not self.namespace:
                yield f"{place} needs a namespace: a UUID of your own, kept secret for uuid5"
            elif "${" not in self.namespace and not is_uuid(self.namespace):
                yield f"{place} has the namespace {self.namespace!r}, which is no UUID"
            if not 0 <= self.base_ms < 2**48:
                yield f"{place} has the base_ms {self.base_ms}; Unix milliseconds are meant"
        elif not self.column:
            yield f"{place} as {self.to} needs a column"
        for name in self.also:
            if name.count(".") not in {1, 2}:
                yield f"{place}: also lists {name!r}; write table.column"


class SchemaSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[schema]`: what of a database moves, under which names and in which form.

    `exclude` lists tables (`table`, `schema.table`, `schema.*`) and columns (`table.column`,
    `schema.table.column`).
    """

    exclude: tuple[str, ...] = ()
    timestamps: Literal["auto", "sqlalchemy", "django", "unix", "unix_ms"] = "auto"
    uuid: Literal["auto", "text", "hex", "blob"] = "auto"
    cast: tuple[CastSection, ...] = ()
    rename: tuple[RenameSection, ...] = ()
    rewrite: tuple[RewriteSection, ...] = ()

    def find_faults(self, databases: frozenset[str]) -> Iterator[str]:
        """Yield what is wrong; `databases` are the names that the project has."""
        sections: tuple[CastSection | RenameSection | RewriteSection, ...]
        sections = (*self.cast, *self.rename, *self.rewrite)
        for section in sections:
            yield from section.find_faults()
            if section.database and section.database not in databases:
                yield f"a section of schema names the database {section.database!r}, unknown here"


class ShardsSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[data.shards]`: a database that is split into several.

    `by` is `tenant` (the values of `column`, or of the primary key of `table`, each wholly in one
    shard) or `key` (their hash). `count` shards, or as many as `max_bytes` each asks for. Tables in
    `replicate` lie in every shard as a whole; all others are split, by the column or by their
    foreign keys. `database` names the one that is meant, empty for each.
    `route` says how a lifted app's requests find theirs.
    """

    by: Literal["tenant", "key"]
    column: str = ""
    table: str = ""
    count: int = 0
    max_bytes: int = 0
    replicate: tuple[str, ...] = ()
    database: str = ""
    route: RouteSection | None = None

    def find_faults(self) -> Iterator[str]:
        """Yield what is wrong with it."""
        if bool(self.table) == bool(self.column):
            yield f"data.shards by {self.by!r} needs either a table or a column"
        if not self.count and not self.max_bytes:
            yield "data.shards needs a count or max_bytes"
        if self.count and not 2 <= self.count <= 4096:
            yield f"data.shards.count is {self.count}; 2 to 4096 are allowed"
        if self.max_bytes < 0:
            yield f"data.shards.max_bytes is {self.max_bytes}"
        if self.route is not None:
            yield from self.route.find_faults()


class DataSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[data]`: how rows are copied from a server.

    `throttle` is `50000 rows/s` or `20 MB/s`, empty for none; `chunk_rows` the rows of a chunk;
    `sample` the part of the chunks that a second, independent reader reads again. `workers` are
    the processes that read chunks, `scheduler` the address of a Dask cluster that does instead.
    `shards` split a database over several.
    """

    throttle: str = ""
    chunk_rows: int = 50_000
    sample: float = 0.02
    workers: int = 1
    scheduler: str = ""
    shards: ShardsSection | None = None

    def find_faults(self) -> Iterator[str]:
        """Yield what is wrong with it."""
        if self.throttle and not _RATE.fullmatch(self.throttle):
            yield f"data.throttle is {self.throttle!r}; write '50000 rows/s' or '20 MB/s'"
        elif self.throttle and max(self.read_throttle()) <= 0:
            yield "data.throttle is zero; leave it out for none"
        if not 1 <= self.chunk_rows <= 10_000_000:
            yield f"data.chunk_rows is {self.chunk_rows}; 1 to 10000000 are allowed"
        if not 0 <= self.sample <= 1:
            yield f"data.sample is {self.sample}; it is a part, 0 to 1"
        if self.shards is not None:
            yield from self.shards.find_faults()
        if not 1 <= self.workers <= 256:
            yield f"data.workers is {self.workers}; 1 to 256 are allowed"
        if self.scheduler and not re.fullmatch(r"\w+://\S+", self.scheduler):
            yield f"data.scheduler is {self.scheduler!r}; write it like tcp://host:8786"

    def read_throttle(self) -> tuple[float, float]:
        """Return (rows per second, bytes per second), 0 where there is no such limit."""
        found = _RATE.fullmatch(self.throttle)
        if found is None:
            return 0.0, 0.0
        number, unit = float(found["number"]), found["unit"]
        return (number, 0.0) if unit == "rows" else (0.0, number * _UNITS[unit])


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID in any of its usual spellings."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
