"""Judge one server database: read its catalogue, count its facts, convert, load into the engine."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import msgspec

from edgelift.model.catalogue import Catalogue
from edgelift.model.move_plan import MovePlan, hash_shape
from edgelift.model.mover_settings import SchemaSection
from edgelift.model.origin_schema import OriginSchema
from edgelift.model.target_schema import TargetSchema
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.load_check import (
    Engine,
    build_probes,
    find_newer,
    run_load_check,
)
from edgelift.stages.schema.mapping import DatabaseMapping
from edgelift.stages.schema.server.convert import Converted
from edgelift.stages.schema.server.inquiry import Inquiry, Listener, Reading, select_settings
from edgelift.stages.schema.server.outcome import (
    build_mapping,
    build_moves,
    build_target,
    find_unaccounted,
    list_objects,
)
from edgelift.stages.schema.server.parts import Part
from edgelift.stages.schema.server.vocabulary import build_vocabulary
from edgelift.targets import d1_dialect as d1


@dataclass(frozen=True)
class ServerJudgement:
    """What was found about a server database; `objects` counts the origin's, `lost` are unknown."""

    mapping: DatabaseMapping
    schema: TargetSchema
    catalogue: Catalogue
    issues: tuple[Issue, ...]
    plan: MovePlan
    objects: int
    lost: tuple[str, ...]
    statements: int


def judge_server(
    name: str,
    url: str,
    settings: SchemaSection,
    accepted: frozenset[str],
    engine: Engine,
    listener: Listener = Listener(),  # noqa: B008 - frozen
) -> ServerJudgement:
    """Judge the database of a URL; raises OriginError when it cannot be read.

    `engine` is D1's own. A connection that is lost on the way is made anew, for a while.
    """
    inquiry = Inquiry(url, select_settings(settings, name), accepted, listener)
    reading, converted = inquiry.ask_patiently()
    return _settle(name, reading, converted, accepted, engine)


def _settle(
    name: str,
    reading: Reading,
    converted: Converted,
    accepted: frozenset[str],
    engine: Engine,
) -> ServerJudgement:
    origin, ways = reading.origin, reading.ways
    parts = converted.parts
    schema = build_target(build_mapping(name, parts, converted.contexts, accepted))
    catalogue = build_catalogue(schema)
    probes = build_probes(schema, catalogue)
    issues = run_load_check(probes, engine, same_engine=False)
    issues += find_newer(schema, issues)
    parts = _add_issues(parts, issues)
    mapping = build_mapping(name, parts, converted.contexts, accepted)
    schema = build_target(mapping)
    counted = {context.target: n for n, context in converted.contexts.items()}
    catalogue = build_catalogue(schema)
    tables = tuple(
        msgspec.structs.replace(t, rows=converted.facts[counted[t.name]].rows)
        if counted.get(t.name) in converted.facts
        else t
        for t in catalogue.tables
    )
    moves = build_moves(converted.contexts, parts, converted.facts, converted.objects)
    own = [issue for part in parts for issue in part.issues]
    own += [i for i in ways.names.issues if i.kind != "table"]
    own += judge_padding(origin) if reading.pads_texts else []
    return ServerJudgement(
        mapping=mapping,
        schema=schema,
        catalogue=msgspec.structs.replace(catalogue, tables=tables),
        issues=(*own, *_judge_database(origin, converted)),
        plan=MovePlan(
            database=name,
            product=reading.product,
            dialect=origin.dialect,
            shape=hash_shape(origin),
            tables=moves,
            views=ways.views,
            vocabulary=build_vocabulary(origin, moves, ways.views),
        ),
        objects=len(list_objects(origin)),
        lost=tuple(find_unaccounted(origin, mapping, ways.names)),
        statements=len(probes),
    )


def _add_issues(parts: tuple[Part, ...], issues: list[Issue]) -> tuple[Part, ...]:
    found: dict[tuple[str, str], list[Issue]] = {}
    for issue in issues:
        found.setdefault((issue.kind, issue.name), []).append(issue)
    return tuple(
        replace(part, issues=(*part.issues, *found.get((part.kind, part.name), ())))
        if not part.inside
        else part
        for part in parts
    )


def build_catalogue(schema: TargetSchema) -> Catalogue:
    """Return the catalogue that the statements make, read from a scratch file.

    A statement that apsw's SQLite refuses is left out; the real engine judges it.
    """
    with tempfile.TemporaryDirectory(prefix="edgelift-schema-") as folder:
        path = Path(folder) / "schema.sqlite"
        db = apsw.Connection(str(path))
        for statement in (*schema.tables, *schema.after):
            try:
                db.execute(statement.sql)
            except apsw.Error:
                continue
        try:
            return read_catalogue(db)
        finally:
            db.close()


def _judge_database(origin: OriginSchema, converted: Converted) -> list[Issue]:
    size = sum(facts.total_bytes for facts in converted.facts.values())
    found = []
    if size > d1.MAX_DATABASE_BYTES:
        found.append(
            Issue(
                "SCHEMA-DATABASE-SIZE", ERROR, "database", "",
                f"holds {size} bytes, Cloudflare takes {d1.MAX_DATABASE_BYTES}",
                "offload large columns to R2 ([[schema.cast]] as = 'offload'), or leave tables out",
            )
        )  # fmt: skip
    elif size > d1.FREE_DATABASE_BYTES:
        found.append(
            Issue(
                "SCHEMA-DATABASE-SIZE-FREE", NOTE, "database", "",
                f"holds {size} bytes; a free account takes {d1.FREE_DATABASE_BYTES}",
            )
        )  # fmt: skip
    if any(context.table.foreign_keys for context in converted.contexts.values()):
        found.append(
            Issue(
                "SCHEMA-FK-ENFORCED", NOTE, "database", "",
                "Cloudflare enforces foreign keys always, at each statement unless they are "
                "deferred",
            )
        )  # fmt: skip
    if any(c.type.collation or c.type.name in _TEXTS for t in origin.tables for c in t.columns):
        found.append(
            Issue(
                "SCHEMA-SORT-ORDER", WARNING, "database", "",
                "text is sorted by its bytes here, at the origin by the rules of a language: ORDER "
                "BY and comparisons with < and > of such texts may differ",
            )
        )  # fmt: skip
    return found


def judge_padding(origin: OriginSchema) -> list[Issue]:
    """Return what MySQL's PAD SPACE means for the texts of a database, keys first."""
    padded = [
        (not any(column.name in key.columns for key in table.keys), f"{table.name}.{column.name}")
        for table in origin.tables
        for column in table.columns
        if _pads(column.type.collation)
    ]
    if not padded:
        return []
    names = [name for _, name in sorted(padded, key=lambda pair: pair[0])]
    shown = ", ".join(names[:_SHOWN]) + (
        f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    )
    return [
        Issue(
            "SCHEMA-PAD-SPACE", WARNING, "database", "",
            f"spaces at the end of a text do not count in comparisons and unique keys at the "
            f"origin, here they do: 'a' = 'a ' is false, and both may stand in {shown}",
            "trim such texts in the app before they are written and compared",
        )
    ]  # fmt: skip


_SHOWN = 8


def _pads(collation: str) -> bool:
    """Return whether a collation of MySQL or MariaDB is PAD SPACE: all but those said otherwise."""
    name = collation.lower()
    return bool(name) and name != "binary" and "nopad" not in name and "_0900_" not in name


_TEXTS = frozenset({"text", "varchar", "bpchar", "char", "citext", "longtext", "mediumtext"})
