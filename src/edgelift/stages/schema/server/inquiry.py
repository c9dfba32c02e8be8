"""Ask a server for all that its judgement needs: catalogue, facts, broken rules; patiently."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from edgelift.errors import OriginError
from edgelift.model.move_plan import hash_shape
from edgelift.model.mover_settings import CastSection, SchemaSection
from edgelift.model.origin_schema import OriginSchema
from edgelift.model.row_spec import RowSpec
from edgelift.sources.origin_database import (
    ColumnFacts,
    OriginDatabase,
    SnapshotReader,
    TableFacts,
    open_origin,
)
from edgelift.sources.patience import Patience
from edgelift.stages.schema.server.broken import find_broken
from edgelift.stages.schema.server.convert import Converted, Ways, convert_schema, plan_ways
from edgelift.stages.schema.server.partitions import merge_partitions
from edgelift.stages.schema.server.tables import FOREIGN_RULE
from edgelift.stages.schema.server.trial import try_casts

Name = tuple[str, str]
Progress = Callable[[str, int, int], None]
_DIGITS_RULE = "SCHEMA-DECIMAL-DIGITS"


@dataclass(frozen=True)
class Reading:
    """What was read of a server: its catalogue, the ways of its columns, its product's name."""

    origin: OriginSchema
    ways: Ways
    product: str
    pads_texts: bool = False


@dataclass(frozen=True)
class Listener:
    """Who is told of a judgement's progress (what, done, of how many) and waits, and how."""

    progress: Progress = lambda _what, _done, _total: None
    note: Callable[[str], None] = lambda _text: None
    wait: Callable[[float], None] = time.sleep


@dataclass
class Inquiry:
    """What is asked of a server; `facts` are kept from try to try while the catalogue stays."""

    url: str
    settings: SchemaSection
    accepted: frozenset[str]
    listener: Listener
    facts: dict[Name, TableFacts] = field(default_factory=dict)
    shape: str = ""
    connected: bool = False

    def ask_patiently(self) -> tuple[Reading, Converted]:
        """Return what `ask` does; a server that once answered is waited for."""
        patience = Patience()
        while True:
            try:
                return self.ask()
            except OriginError as error:
                if not self.connected:
                    raise
                pause = patience.find_pause(error, len(self.facts))
                self.listener.note(f"{error.what}: {error.why}; asking again in {pause} s")
            self.listener.wait(pause)

    def ask(self) -> tuple[Reading, Converted]:
        """Read catalogue and facts over one connection and one snapshot; convert them."""
        with open_origin(self.url) as adapter:
            self.connected = True
            origin = adapter.read_schema()
            if hash_shape(origin) != self.shape:
                self.shape = hash_shape(origin)
                self.facts.clear()
            whole = merge_partitions(origin)
            ways = plan_ways(whole, adapter, self.settings)
            silent = () if FOREIGN_RULE in self.accepted else list_foreign(origin)
            capabilities = adapter.capabilities
            with contextlib.closing(adapter.open_snapshot()) as reader:
                self._read_facts(reader, ways, silent)
                if _DIGITS_RULE in self.accepted:
                    ways = _soften(whole, adapter, self.settings, ways, self.facts)
                broken = find_broken(whole, ways, self.facts, reader, capabilities)
                self.facts |= _note_refused(self.facts, try_casts(reader, origin, ways, silent))
        converted = convert_schema(whole, ways, self.facts, capabilities, broken)
        reading = Reading(origin, ways, capabilities.product, capabilities.pads_texts)
        return reading, converted

    def _read_facts(self, reader: SnapshotReader, ways: Ways, silent: Collection[Name]) -> None:
        """Add the facts of every table but the silent ones, which are not asked."""
        for done, (name, spec) in enumerate(ways.specs.items()):
            self.listener.progress("tables looked through", done, len(ways.specs))
            if name not in silent and name not in self.facts:
                self.facts[name] = reader.read_facts(_without_refused(spec))


def select_settings(settings: SchemaSection, database: str) -> SchemaSection:
    """Return the settings without the sections of other databases."""
    return msgspec.structs.replace(
        settings,
        cast=tuple(s for s in settings.cast if s.database in {"", database}),
        rename=tuple(s for s in settings.rename if s.database in {"", database}),
        rewrite=tuple(s for s in settings.rewrite if s.database in {"", database}),
    )


def _note_refused(
    facts: Mapping[Name, TableFacts], refused: Mapping[tuple[str, str, str], str]
) -> dict[Name, TableFacts]:
    """Return the facts of tables with columns whose form refuses a value, and why."""
    found: dict[Name, TableFacts] = {}
    for (schema, table, column), why in refused.items():
        known = found.get((schema, table)) or facts[schema, table]
        own = replace(known.columns.get(column, ColumnFacts()), refused=why)
        found[schema, table] = replace(known, columns={**known.columns, column: own})
    return found


def list_foreign(origin: OriginSchema) -> tuple[Name, ...]:
    """Return the tables whose rows lie on other servers: asking may fail, or ask too much."""
    return tuple((t.schema, t.name) for t in origin.tables if t.kind == "foreign")


def _without_refused(spec: RowSpec) -> RowSpec:
    fields = tuple(field for field in spec.fields if field.op != "refused")
    return msgspec.structs.replace(spec, fields=fields)


def _soften(
    origin: OriginSchema,
    adapter: OriginDatabase,
    settings: SchemaSection,
    ways: Ways,
    facts: Mapping[Name, TableFacts],
) -> Ways:
    """Return the ways with those decimals as REAL whose loss of digits the user accepted."""
    casts = [
        CastSection(to="real", table=f"{table.schema}.{table.name}", column=column.name)
        for table in origin.tables
        if (found := facts.get((table.schema, table.name))) is not None
        for column in table.columns
        for field in ways.specs[table.schema, table.name].fields
        if field.column == ways.choices.name_column(table, column.name)
        and field.op in {"decimal_real15", "money"}
        and field.column in found.columns
        and found.columns[field.column].digits > 15
    ]
    if not casts:
        return ways
    return plan_ways(
        origin, adapter, msgspec.structs.replace(settings, cast=(*settings.cast, *casts))
    )
